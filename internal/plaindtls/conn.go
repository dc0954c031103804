package plaindtls

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
)

// Conn is one connection of a Server. Its methods are safe for
// concurrent use and stay valid after the connection has ended.
type Conn struct {
	identity

	conn   dtls.Conn
	server *Server     // constant
	gone   atomic.Bool // written by the shard

	// Owned by the shard's turn.
	connected bool
	heard     time.Time // when something last came
	ended     time.Time
	left      bool // the peer has: nothing of it is to come
}

// Addr is the peer's address.
func (c *Conn) Addr() netip.AddrPort { return c.conn.Shard.Out.AddrOf(&c.conn) }

// Send sends payload, at most MaxPayload bytes, which are copied. It never
// waits for the network, and never says whether the record arrives.
//
// It returns net.ErrClosed when the connection has ended, ErrTooLarge, or
// record.ErrExhausted after 2^24 records.
func (c *Conn) Send(payload []byte) error {
	switch {
	case c.gone.Load():
		return net.ErrClosed
	case len(payload) > MaxPayload:
		return ErrTooLarge
	}
	o := &c.conn.Shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	b, err := seal(o.Next(c.conn.Addr).Buf, &c.conn.Record, payload)
	if err != nil {
		return err
	}
	o.Commit(b)
	o.FlushUnlessHeld()
	return nil
}

// seal writes a record to dst, encrypted in place.
func seal(dst []byte, rc *record.Conn, payload []byte) ([]byte, error) {
	b := append(dst[:record.Prefix], payload...)
	return rc.Seal(dst[:0], record.ApplicationData, b[record.Prefix:])
}

// connect begins the connection if there is room for it.
func (c *Conn) connect() bool {
	if c.connected {
		return true
	}
	if c.server.conns.Add(1) > c.server.most {
		c.server.conns.Add(-1)
		return false
	}
	c.connected = true
	c.server.handler.Connect(c)
	return true
}

// end ends the connection, if it has not ended already.
func (c *Conn) end(now time.Time) {
	if c.gone.Swap(true) {
		return
	}
	c.ended = now
	if c.connected {
		c.server.conns.Add(-1)
		c.server.handler.Disconnect(c)
	}
	c.conn.Shard.Out.Alert(&c.conn, record.CloseNotify[:])
}

// carried is a Conn as its shard sees it.
type carried Conn

// Handle implements dtls.ConnUser.
func (u *carried) Handle(now time.Time, _ time.Duration, payload []byte) {
	c := (*Conn)(u)
	switch {
	case c.gone.Load():
		c.conn.Shard.Drop(audit.DropState)
	case !c.connect():
		c.conn.Shard.Drop(audit.DropFull)
		c.end(now)
	default:
		c.heard = now
		c.server.handler.Receive(c, payload)
	}
}

// Closed implements dtls.ConnUser. A peer whose first word is goodbye has been here.
func (u *carried) Closed(now time.Time) {
	c := (*Conn)(u)
	if !c.gone.Load() {
		c.connect()
		c.end(now)
		c.left = true
	}
}

// Replaced implements dtls.ConnUser.
func (u *carried) Replaced(now time.Time) (stays bool) {
	(*Conn)(u).end(now)
	return false
}

// Tick implements dtls.ConnUser.
func (u *carried) Tick(now time.Time) {
	c := (*Conn)(u)
	if c.gone.Load() {
		if c.left || now.Sub(c.ended) >= lingerTime {
			c.conn.Shard.Table.Remove(&c.conn)
		}
		return
	}
	c.conn.ForgetFlight(now)
	c.conn.DropOpenKey()
	c.restSeal()
	if now.Sub(c.heard) >= c.server.idle {
		c.conn.Shard.Drop(audit.DropIdle)
		c.end(now)
	}
}

func (c *Conn) restSeal() {
	o := &c.conn.Shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	c.conn.DropSealKey()
}
