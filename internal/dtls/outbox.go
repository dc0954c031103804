package dtls

import (
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// Outbox is the sending half of a shard and of all its connections: what is
// sealed under its lock goes out in that order, many datagrams together.
//
// Each shard has its own, so that shards share nothing; within a shard the lock
// is contended only when the game sends from several goroutines.
type Outbox struct {
	socket udp.Socket // constant

	// Fill, if set, adds what is due as the content is about to leave. It is called with the lock held
	// and must not flush. It is set before the first use.
	Fill func()

	Mu sync.Mutex
	// +checklocks:Mu
	batch []udp.Packet
	// +checklocks:Mu
	count int
	// +checklocks:Mu
	held bool // somebody will flush soon: the shard's turn, or the next Flush
	// +checklocks:Mu
	holds int // by acquire, not yet released
	// +checklocks:Mu
	sent uint64 // datagrams
	// +checklocks:Mu
	closed bool // the socket is gone
}

// Next is the packet to fill; it goes out only once commit is called.
//
// +checklocks:o.Mu
func (o *Outbox) Next(addr udp.Flow) *udp.Packet {
	if o.count == len(o.batch) {
		o.flushLocked()
	}
	p := &o.batch[o.count]
	p.Addr = addr
	return p
}

// Commit has b, which lies in next's packet, sent with the rest.
//
// +checklocks:o.Mu
func (o *Outbox) Commit(b []byte) {
	o.batch[o.count].Buf = b
	o.count++
}

// FlushUnlessHeld sends what has been collected, unless somebody will.
//
// +checklocks:o.Mu
func (o *Outbox) FlushUnlessHeld() {
	if !o.Held() {
		o.send()
	}
}

// Held reports whether somebody will flush soon.
//
// +checklocks:o.Mu
func (o *Outbox) Held() bool { return o.held || o.holds > 0 }

// send sends what is due and what has been collected.
//
// +checklocks:o.Mu
func (o *Outbox) send() {
	if o.Fill != nil && !o.closed {
		o.Fill()
	}
	o.flushLocked()
}

// Alert seals a DTLS alert of a connection.
func (o *Outbox) Alert(c *Conn, alert []byte) {
	o.raw(c, func(dst []byte) ([]byte, error) { return c.Record.Seal(dst, record.Alert, alert) })
}

// raw sends a datagram to a connection's peer that seal writes to its argument.
func (o *Outbox) raw(c *Conn, seal func(dst []byte) ([]byte, error)) {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	p := o.Next(c.Addr)
	if b, err := seal(p.Buf[:0]); err == nil {
		o.Commit(b)
	}
	o.FlushUnlessHeld()
}

// Wipe forgets a connection's keys: nothing opens any more, and nothing is sealed.
func (o *Outbox) Wipe(c *Conn) {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	c.Record.Wipe()
}

// AddrOf is a connection's address for everybody but the shard.
func (o *Outbox) AddrOf(c *Conn) netip.AddrPort {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	return c.Addr.AddrPort
}

// Hold says that a flush will come, or that it should come now.
func (o *Outbox) Hold(held bool) {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.held = held
	o.FlushUnlessHeld()
}

// Acquire collects what is sent until release.
func (o *Outbox) Acquire() {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.holds++
}

// Release takes an acquire back. What has been collected goes out at once, whoever holds the
// outbox besides: of many matches there is always one.
func (o *Outbox) Release() {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.holds = max(0, o.holds-1) // a shard that has been opened since knows of none
	o.send()
}

// Close is the last flush.
func (o *Outbox) Close() {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.send()
	o.closed = true
}

// Reopen takes a close back.
func (o *Outbox) Reopen() {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.closed = false
}

// Flush sends what has been collected.
func (o *Outbox) Flush() {
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.send()
}

// +checklocks:o.Mu
func (o *Outbox) flushLocked() {
	if o.count > 0 && !o.closed {
		o.socket.Send(o.batch[:o.count])
		o.sent += uint64(o.count)
	}
	o.count = 0
}
