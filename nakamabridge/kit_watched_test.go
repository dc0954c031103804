package nakamabridge

//lint:file-ignore ST1003 The names of methods are Nakama's.

import (
	"net/netip"
	"sync/atomic"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/netsim"
)

// countedConn counts what leaves by it.
type countedConn struct {
	*netsim.Conn
	written atomic.Int64
	asked   []int64 // how many had left as a broadcast came to a player
}

func (c *countedConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.written.Add(1)
	return c.Conn.WriteToUDPAddrPort(b, to)
}

// watchedPresence says when a broadcast comes to it.
type watchedPresence struct {
	runtime.Presence
	comes func()
}

func (p watchedPresence) GetSessionId() string {
	p.comes()
	return p.Presence.GetSessionId()
}
