package dtls

import (
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// Conn is one DTLS connection after its handshake: its keys, and the address it lives at. It
// belongs to its shard; what it seals, to the shard's outbox. Its user embeds it, so that what
// a datagram needs stands together in one piece of memory.
type Conn struct {
	Shard *Shard   // its shard: constant once a user that may move it has settled
	Addr  udp.Flow // changed by the shard, under the outbox's lock
	ID    uint32   // by which it is found at another address, 0 without; drawn when it is listed by its shard
	place int32    // in table.order, unconfirmed or removed
	User  ConnUser // constant

	// Former is the connection that this one takes the place of, until its user says that this
	// is settled: what comes may be of either. Nil without.
	Former *Conn

	Record record.Conn // Open is the shard's, Seal the outbox's

	stray  *stray      // at the shard that it was on before, which forwards to this one; nil for here
	path   *path       // where the peer may have gone, nil without
	flight *lastFlight // nil when the peer cannot need it any more

	opened, sealed uint32 // by record when last looked at, modulo 2^32
}

// ConnUser is what a connection carries.
type ConnUser interface {
	// Handle takes a record's plaintext, which it may write to until it returns. waited is how
	// long the datagram has waited for its turn.
	Handle(now time.Time, waited time.Duration, plaintext []byte)

	// Closed is called when an alert has authenticated that ends the connection.
	Closed(now time.Time)

	// Replaced is called when another connection has been confirmed at the same address. It
	// reports whether this one stays beside it; else it is removed.
	Replaced(now time.Time) (stays bool)

	// Tick is called about once a sweepInterval.
	Tick(now time.Time)
}

// Mover is a ConnUser whose connection can be heard at other addresses than its own.
type Mover interface {
	// Roamer returns whom to tell of what comes from there, nil if it is not heard at present.
	Roamer() Roamer

	// Challenge sends at most Config.ChallengeLen bytes to an address, which must be answered from
	// there; Answered is called then. first tells a new challenge from a repeated one.
	Challenge(to udp.Flow, first bool)

	// Identified is called when the connection gets an id, by which it is found there: before its
	// first record is handled, and when it has moved to another shard.
	Identified(id uint32)
}

// Roamer is told of a connection's peer at another address than the connection's.
type Roamer interface {
	// Roamed is called when a datagram of so many bytes has come from there that has the newest
	// record of all: a copy has not.
	Roamed(now time.Time, from udp.Flow, length int)
}

// lastFlight answers a repeat of the peer's last flight: ours was lost.
type lastFlight struct {
	handshake.Flight
	since  time.Time
	resent time.Time // when it was last done
}

// The places of a connection that has none in table.order.
const (
	unconfirmed = -1 // nothing has opened under its keys
	removed     = -2
)

// Init gives a connection its user, and the connection id that another process has given it, or 0.
func (c *Conn) Init(u ConnUser, id uint32) { c.User, c.ID, c.place = u, id, unconfirmed }

// Listed reports whether the connection has been confirmed and not been removed.
func (c *Conn) Listed() bool { return c.place >= 0 }

// takeOver has the keys of a handshake's result, which it wipes.
func (c *Conn) takeOver(now time.Time, s *Shard, addr udp.Flow, r *handshake.Result) error {
	c.Shard, c.Addr, c.flight = s, addr, &lastFlight{Flight: r.Flight, since: now}
	err := c.Record.Init(&r.Secrets, false, r.Next, s.Endpoint.config.Window)
	r.Secrets.Wipe()
	return err
}

// Restore has the keys that another process has left.
func (c *Conn) Restore(s *Shard, addr udp.Flow, st *record.State) error {
	c.Shard, c.Addr = s, addr
	return c.Record.Restore(st)
}

// ForgetFlight drops the last flight once the peer cannot need it any more.
func (c *Conn) ForgetFlight(now time.Time) {
	if c.flight != nil && now.Sub(c.flight.since) >= resendTime {
		c.flight = nil
	}
}

// DropOpenKey drops the expanded keys of what comes in, if nothing has since the last call, and
// reports whether that is so: of the 4 KB of a peer they are a good part.
func (c *Conn) DropOpenKey() bool {
	n := uint32(c.Record.Opened())
	if n != c.opened {
		c.opened = n
		return false
	}
	c.Record.DropOpenKey()
	return true
}

// DropSealKey does so for what goes out. The caller holds the outbox's lock.
func (c *Conn) DropSealKey() bool {
	n := uint32(c.Record.Sealed())
	if n != c.sealed {
		c.sealed = n
		return false
	}
	c.Record.DropSealKey()
	return true
}

// repeat answers a repeat of the client's last flight, which has authenticated: our own
// last flight was lost (RFC 6347 4.2.4).
func (f *lastFlight) repeat(now time.Time, c *Conn) {
	if f == nil || now.Sub(f.resent) < resendInterval {
		return
	}
	f.resent = now
	c.Shard.Out.raw(c, func(dst []byte) ([]byte, error) { return f.Resend(&c.Record, dst) })
}
