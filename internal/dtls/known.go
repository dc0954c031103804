package dtls

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
)

// Known is an address from which a peer's datagrams come, for whoever tells peers from strangers
// before the socket does. It is said again once in a sources.LiveInterval, and whenever it changes.
type Known struct {
	Addr netip.AddrPort
	ID   uint32        // the connection id of the peer's; 0 if it has none, or none yet
	For  time.Duration // from now on; 0 if the peer has gone
}

// KnownFor is how long a peer is known: two notes may come late or be lost.
const KnownFor = 2*sources.LiveInterval + 30*time.Second

// tell reports an address, if anybody asks. It may be called by any goroutine. What travels by a
// carrier does not come to the socket.
func (e *Endpoint) tell(addr udp.Flow, id uint32, d time.Duration) {
	if e.config.Known != nil && addr.Local != addrtable.Carried {
		e.config.Known(Known{addr.AddrPort, id, d})
	}
}

// proven reports an address that has returned the cookie: what comes next is the rest of its
// handshake, and the first records under its keys.
func (e *Endpoint) proven(addr udp.Flow) {
	e.tell(addr, 0, e.config.HandshakeTimeout+e.config.ConfirmTimeout+SweepInterval)
}

// known reports where a connection is.
func (c *Conn) known() { c.Shard.Endpoint.tell(c.Addr, c.ID, KnownFor) }

// left reports that a connection has left an address, or has gone with its connection id. The address
// is not known any more, unless somebody else is there.
func (s *Shard) left(addr udp.Flow, id uint32) {
	if s.Endpoint.lodgers.at(addr) || s.Handshakes.At(addr) != nil {
		addr = udp.Flow{}
	}
	s.Endpoint.tell(addr, id, 0)
}

// lodgers counts the connections of all shards by their peers' addresses, where somebody asks for them:
// several may have one, on any shard, or with another address of ours. It is safe for concurrent use.
type lodgers struct {
	mu sync.Mutex
	// +checklocks:mu
	count map[netip.AddrPort]int
}

// lodge notes that one more connection is at an address, or with -1 one less.
func (e *Endpoint) lodge(addr udp.Flow, more int) {
	if e.config.Known == nil || addr.Local == addrtable.Carried {
		return
	}
	l := &e.lodgers
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = make(map[netip.AddrPort]int)
	}
	if l.count[addr.AddrPort] += more; l.count[addr.AddrPort] == 0 {
		delete(l.count, addr.AddrPort)
	}
}

// at reports whether a connection is at an address.
func (l *lodgers) at(addr udp.Flow) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[addr.AddrPort] > 0
}

// Renote reports where all peers of a shard are, at once.
func (t *Table) Renote() {
	for _, c := range t.order {
		c.known()
	}
}
