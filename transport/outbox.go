package transport

import (
	"errors"
	"sync"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// outbox is the sending half of a shard and of all its associations: what is
// sealed under its lock goes out in that order, many datagrams together.
//
// Each shard has its own, so that shards share nothing; within a shard the lock
// is contended only when the game sends from several goroutines.
type outbox struct {
	socket udp.Socket // constant

	mu sync.Mutex
	// +checklocks:mu
	batch []udp.Packet
	// +checklocks:mu
	count int
	// +checklocks:mu
	held bool // somebody will flush soon: the shard's turn, or the next Flush
	// +checklocks:mu
	holds int // by Server.Hold, not yet released
	// +checklocks:mu
	sent uint64 // datagrams
	// +checklocks:mu
	read byte // what prefetch has read: kept, so that it is read
	// +checklocks:mu
	closed bool // the socket is gone
}

// appender writes an envelope behind dst; machine.Conn and machine.Client are.
type appender interface {
	Append(dst []byte, kind wire.Kind, body []byte) ([]byte, error)
}

// envelope seals one envelope of an association and sends it by and by.
func (o *outbox) envelope(a *association, kind wire.Kind, body []byte) error {
	return o.envelopeTo(a, udp.Flow{}, kind, body)
}

// payload seals a payload for a player, wherever its session lives.
func (o *outbox) payload(p *Player, payload []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.put(p.association, p.association.addr, wire.KindData, payload)
	switch {
	case err == nil:
		o.release()
	case errors.Is(err, machine.ErrNotLive) && !p.gone.Load():
		return nil // its session is just moving to another connection: a lost datagram
	}
	return err
}

// envelopeTo does so to another address than the association's, unless addr is
// none.
func (o *outbox) envelopeTo(a *association, addr udp.Flow, kind wire.Kind, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !addr.IsValid() {
		addr = a.addr
	}
	err := o.put(a, addr, kind, body)
	if err == nil {
		o.release()
	}
	return err
}

// put seals into the batch's next packet.
//
// +checklocks:o.mu
func (o *outbox) put(a *association, addr udp.Flow, kind wire.Kind, body []byte) error {
	p := o.next(addr)
	b, err := sealEnvelope(p.Buf[:0], &a.record, a.session, kind, body)
	if err != nil {
		return err
	}
	p.Buf = b
	o.count++
	return nil
}

// sealEnvelope writes record, header and body to dst, encrypted in place.
func sealEnvelope(dst []byte, rc *record.Conn, s appender, kind wire.Kind, body []byte) ([]byte, error) {
	b, err := s.Append(dst[:record.Prefix], kind, body)
	if err != nil {
		return nil, err
	}
	return rc.Seal(dst[:0], record.ApplicationData, b[record.Prefix:])
}

// alert seals a DTLS alert of an association.
func (o *outbox) alert(a *association, alert []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.next(a.addr)
	if b, err := a.record.Seal(p.Buf[:0], record.Alert, alert); err == nil {
		p.Buf = b
		o.count++
	}
	o.release()
}

// raw sends a datagram that make writes to its argument.
func (o *outbox) raw(addr udp.Flow, make func(dst []byte) ([]byte, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.next(addr)
	if b, err := make(p.Buf[:0]); err == nil {
		p.Buf = b
		o.count++
	}
	o.release()
}

// release sends what has been collected, unless somebody will.
//
// +checklocks:o.mu
func (o *outbox) release() {
	if !o.held && o.holds == 0 {
		o.flushLocked()
	}
}

// next is the packet to fill; it counts only once count is raised.
//
// +checklocks:o.mu
func (o *outbox) next(addr udp.Flow) *udp.Packet {
	if o.count == len(o.batch) {
		o.flushLocked()
	}
	p := &o.batch[o.count]
	p.Addr = addr
	return p
}

// hold says that a flush will come, or that it should come now.
func (o *outbox) hold(held bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = held
	o.release()
}

// keep is Server.Hold.
func (o *outbox) keep() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.holds++
}

// let is Server.Release. What has been collected goes out at once, whoever holds the outbox
// besides: of many matches there is always one.
func (o *outbox) let() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.holds = max(0, o.holds-1) // a shard that Serve has opened since knows of none
	o.flushLocked()
}

// close is the last flush.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
	o.closed = true
}

// reopen takes a close back.
func (o *outbox) reopen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = false
}

// flush sends what has been collected.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
}

// +checklocks:o.mu
func (o *outbox) flushLocked() {
	if o.count > 0 && !o.closed {
		o.socket.Send(o.batch[:o.count])
		o.sent += uint64(o.count)
	}
	o.count = 0
}
