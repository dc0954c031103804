package transport

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// DTLSConn is one connection of a DTLSServer. Its methods are safe for
// concurrent use and stay valid after the connection has ended.
type DTLSConn struct {
	identity

	server      *DTLSServer  // constant
	association *association // constant
	gone        atomic.Bool  // written by the shard

	// Owned by the shard's turn.
	connected bool
	heard     time.Time // when something last came
}

// Addr is the peer's address.
func (c *DTLSConn) Addr() netip.AddrPort { return c.association.where() }

// Send sends payload, at most MaxDTLSPayload bytes, which are copied. It never
// waits for the network, and never says whether the record arrives.
//
// It returns ErrGone when the connection has ended, session.ErrTooLarge, or
// record.ErrExhausted after 2^24 records.
func (c *DTLSConn) Send(payload []byte) error {
	if c.gone.Load() {
		return ErrGone
	}
	return c.association.shard.out.envelope(c.association, wire.KindData, payload)
}

// bare is a DTLSConn as its shard sees it: the machine without a session, whose
// messages are payloads.
type bare DTLSConn

// HandleLate implements serverMachine.
func (b *bare) HandleLate(now time.Time, _ time.Duration, msg []byte) (machine.Reply, machine.Event) {
	if b.gone.Load() {
		return machine.Reply{}, machine.Event{Drop: audit.DropState}
	}
	if !b.connect() {
		return b.end(audit.DropFull, wire.ReasonFull)
	}
	b.heard = now
	b.server.serve.Load().Receive((*DTLSConn)(b), msg)
	return machine.Reply{}, machine.Event{}
}

// connect begins the connection if there is room for it.
func (b *bare) connect() bool {
	if b.connected {
		return true
	}
	if b.server.conns.Add(1) > b.server.most {
		b.server.conns.Add(-1)
		return false
	}
	b.connected = true
	b.server.serve.Load().Connect((*DTLSConn)(b))
	return true
}

// end ends the connection, if it has not ended already.
func (b *bare) end(drop audit.Drop, reason wire.Reason) (machine.Reply, machine.Event) {
	if b.gone.Swap(true) {
		return machine.Reply{}, machine.Event{}
	}
	if b.connected {
		b.server.conns.Add(-1)
		b.server.serve.Load().Disconnect((*DTLSConn)(b))
	}
	return machine.Reply{}, machine.Event{Kind: machine.EventClosed, Drop: drop, Reason: reason}
}

// Close implements serverMachine.
func (b *bare) Close(reason wire.Reason) (machine.Reply, machine.Event) {
	return b.end(audit.DropNone, reason)
}

// Disconnected implements serverMachine. A peer whose first word is goodbye has been here.
func (b *bare) Disconnected() (machine.Reply, machine.Event) {
	if !b.gone.Load() {
		b.connect()
	}
	return b.end(audit.DropNone, wire.ReasonLeft)
}

// Tick implements serverMachine.
func (b *bare) Tick(now time.Time) (machine.Reply, machine.Event) {
	if now.Sub(b.heard) < b.server.idle {
		return machine.Reply{}, machine.Event{}
	}
	return b.end(audit.DropIdle, wire.ReasonIdle)
}

// Append implements machine: the payload is all there is.
func (b *bare) Append(dst []byte, _ wire.Kind, payload []byte) ([]byte, error) {
	return appendBare(dst, payload)
}

func appendBare(dst, payload []byte) ([]byte, error) {
	if len(payload) > MaxDTLSPayload {
		return nil, session.ErrTooLarge
	}
	return append(dst, payload...), nil
}

// Verified implements serverMachine. There is nothing to verify.
func (b *bare) Verified(time.Time, *token.Claims, error) (machine.Reply, machine.Event) {
	return machine.Reply{}, machine.Event{}
}

// Session implements serverMachine.
func (b *bare) Session() *machine.Session { return nil }

// RestHandle implements machine: there is nothing that could rest.
func (b *bare) RestHandle() {}

// RestAppend implements serverMachine.
func (b *bare) RestAppend(bool) {}

// PrefetchHandle implements machine: there is nothing to read.
func (b *bare) PrefetchHandle(int) byte { return 0 }

// PrefetchAppend implements serverMachine.
func (b *bare) PrefetchAppend(int) byte { return 0 }
