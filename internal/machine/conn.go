package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/behaviour"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
)

// state is the state of either machine; package doc.go has a Conn's transitions.
type state uint8

const (
	opening   state = iota // no complete HELLO yet
	verifying              // HELLO waits for Verified or Resume
	welcomed               // a session is resumed here, but no datagram of it has been accepted; see resumption
	live                   // the session lives here
	closed
)

// transition, if set, is called at every change of a connection's state: a test compares them with
// the table of the package comment.
var transition func(from, to state)

// enter changes the state.
func (c *Conn) enter(to state) {
	if transition != nil {
		transition(c.state, to)
	}
	c.state = to
}

// Begun reports whether a session has begun here and not ended: it lives here, or waits for its
// first datagram. It belongs to the receiving half.
func (c *Conn) Begun() bool { return c.state == live || c.state == welcomed }

// Conn is the server's end of one connection. Its receiving half belongs to one goroutine at a
// time, its sending half (Append) to another.
type Conn struct {
	// Receiving half. As in link, the fields that every datagram needs stand together.
	state       state
	why         audit.Drop // once closed
	excess      bool       // behaviour has exceeded the revocation limit
	confined    bool       // a step up has lapsed: the network may not change
	renewedLost bool       // RENEWED seems to be lost, because the client presents another token
	laned       bool       // lanes is set
	badTags     int16
	session     *Session  // nil before EventJoined
	answer      *answer   // for copies of HELLO or RENEW
	since       time.Time // start of this state, or the last accepted datagram
	seenDigest  uint64    // of the fingerprint as it is now
	boundDigest uint64    // of the fingerprint that the session is bound to
	accepted    uint64    // datagrams
	gate        *Gate     // constant
	behaviour   behaviour.Behaviour
	own         Session

	link

	channel  Channel      // constant
	ticketed bool         // the client has a ticket
	reports  bool         // the client asks for reports of lost datagrams
	bearer   bool         // the client sends the identity token in datagrams
	noted    bool         // see note
	path     netip.Prefix // the network that datagrams come from
	partial  *partial     // nil but between the first and the last part of a message
	pending  *pending     // decided by Verified
	retryAt  int64        // after a refused token no other is verified before, Unix ns
	doubt    *doubt       // nil without a change of fingerprint or behaviour
	probe    *probe       // nil before the first measurement or challenge
	renewAt  uint32       // no RENEW is accepted before, unless a step up is owed, Unix s
	report   [8 + 4]byte  // the last PONG

	resuming *resumption // nil unless the session is resumed here and no datagram has been accepted
	lanes    *Lanes      // nil unless both ends use lanes
}

// partial is a HELLO or RENEW of which some parts have arrived.
type partial struct {
	kind  wire.Kind
	parts wire.Assembler
}

// answer is kept while copies of the message it answers may arrive: WELCOME until the client's
// first datagram confirms it, RENEWED until the next RENEW.
type answer struct {
	digest [32]byte // of the HELLO or RENEW body
	reply  Reply
}

// NewConn returns an initialized Conn.
func (g *Gate) NewConn(now time.Time, ch Channel, addr netip.Addr) *Conn {
	c := new(Conn)
	c.Init(g, now, ch, addr)
	return c
}

// Init initializes a zero Conn for a new connection from addr. The Conn must not be copied
// afterwards.
func (c *Conn) Init(g *Gate, now time.Time, ch Channel, addr netip.Addr) {
	c.gate, c.channel, c.since, c.path = g, ch, now, fingerprint.Prefix(&g.config.Fingerprint, addr)
	c.overlap = g.config.Overlap
	c.window = replay.Make(g.config.Window)
}

// keyContext returns the input of the session's keys on this connection.
func (c *Conn) keyContext() keyContext {
	return keyContext{c.channel.Exporter, c.binding, c.session.id, digestOf(c.session.fingerprint, &c.channel)}
}

// SetConnectionID sets the id by which the connection is found after the client's address has
// changed, 0 for none. WELCOME sends it to the client, so call it before.
func (c *Conn) SetConnectionID(id uint32) { c.connectionID = id }

// DropHandleKey drops the expanded keys of a client that is silent, half a kilobyte. The next
// datagram expands them again, which allocates. It belongs to the receiving half.
func (c *Conn) DropHandleKey() { c.dropExpandedIn() }

// DropAppendKey does the same for a client to which nothing is sent, if silent is true. It also
// erases the keys of epochs that are over. It belongs to the sending half.
func (c *Conn) DropAppendKey(silent bool) { c.dropExpandedOut(silent) }

// Session returns the session; nil before EventJoined.
func (c *Conn) Session() *Session { return c.session }

// Append appends the envelope for kind and body to dst. It is the sending half: one goroutine at a
// time, which may be another than the receiving one. It returns ErrNotLive outside a session and
// ErrTooLarge for a body over wire.MaxBody bytes.
func (c *Conn) Append(dst []byte, kind wire.Kind, body []byte) ([]byte, error) {
	return c.append(dst, kind, body)
}

// Tick checks the time limits. Call it about once a second.
func (c *Conn) Tick(now time.Time) (Reply, Event) {
	idle := now.Sub(c.since)
	switch c.state {
	case opening:
		if idle >= helloTimeout {
			reply, ev := c.close(audit.DropIdle, wire.ReasonIdle)
			ev.Cause = CauseNoHello
			return reply, ev
		}
	case verifying:
		if idle >= helloTimeout {
			return c.refuse(CauseBusyVerdict)
		}
	case welcomed:
		return c.tickWelcomed(now, idle)
	case live:
		c.retire(now)
		c.noteQuiet(idle)
		if drop := c.session.checkEnd(now); drop != audit.DropNone {
			return c.expire(drop)
		}
		if idle >= c.gate.config.Idle && c.owes() && c.Away() {
			return c.lapseStepUp(now)
		}
		if idle >= c.gate.config.Idle {
			return c.close(audit.DropIdle, wire.ReasonIdle)
		}
		if c.renewedLost && c.next != nil {
			c.renewedLost = false
			return c.answer.reply, Event{}
		}
		if c.doubt != nil {
			if reply, ev := c.tickDoubt(now); reply.Kind != 0 || ev.Kind != EventNone {
				return reply, ev
			}
		}
		return c.ping(now), Event{}
	}
	return Reply{}, Event{}
}

// tickWelcomed is Tick for a session whose first datagram is awaited.
func (c *Conn) tickWelcomed(now time.Time, idle time.Duration) (Reply, Event) {
	if !c.livesOnFormer() { // else the former connection does
		c.noteQuiet(idle)
	}
	if drop := c.session.checkEnd(now); drop != audit.DropNone {
		return c.expire(drop)
	}
	if idle >= min(c.gate.config.Idle, helloTimeout) {
		return c.close(audit.DropIdle, wire.ReasonIdle)
	}
	return Reply{}, Event{}
}

// noteQuiet records how long nothing has been accepted for the session.
func (c *Conn) noteQuiet(idle time.Duration) {
	c.session.quiet.Store(uint32(min(max(idle, 0), time.Hour).Milliseconds()))
}

// tooSoon reports whether a token was refused a moment ago.
func (c *Conn) tooSoon(now time.Time) bool { return now.UnixNano() < c.retryAt }

// Close ends the session from the server's side, as at a shutdown. The reply is the CLOSE to send.
// If the session still lives on its former connection, only this connection ends. If this
// connection has ended before, a reason that ends the session for good still ends it, on whichever
// connection it lives by now. If the session has been ended before, with its next datagram, that
// reason holds.
func (c *Conn) Close(reason wire.Reason) (reply Reply, ev Event) {
	switch {
	case c.state == closed:
		c.terminate(reason)
		return Reply{}, Event{}
	case c.state == live && c.session.Revoked():
		reply, ev = c.expire(audit.DropRevoked)
	default:
		reply, ev = c.close(audit.DropState, reason)
	}
	ev.Drop = audit.DropNone
	return reply, ev
}

// Disconnected ends the connection because its peer has ended it without a CLOSE. A session that
// lives here ends too, unless Resumable reports that its client has a ticket. A session that lives
// elsewhere, or waits for its first datagram, continues: the client may present the same ticket
// again.
func (c *Conn) Disconnected() (Reply, Event) {
	if c.resuming == nil {
		return c.Close(wire.ReasonLeft)
	}
	return c.close(audit.DropState, wire.ReasonIdle)
}

// expire closes a session that has ended; if a renewal was refused before, the reason names that.
func (c *Conn) expire(drop audit.Drop) (Reply, Event) {
	if drop == audit.DropRevoked && c.session.cause() == CauseElsewhere {
		return c.leaveElsewhere()
	}
	reason := reasons[drop]
	if r := c.session.reason(); drop == audit.DropRevoked && r != 0 {
		reason = r
	}
	cause, detail := c.session.cause(), ""
	if p := c.pending; p != nil {
		switch {
		case drop == audit.DropExpired && p.refused != CauseNone:
			reason, cause, detail = reasons[p.refused.Drop()], p.refused, p.detail
		case cause == CauseMatch && p.refused == CauseNone:
			detail = p.detail // of reauthorized
		}
	}
	reply, ev := c.close(drop, reason)
	ev.Cause, ev.Payload = cause, []byte(detail)
	return reply, ev
}

// leaveElsewhere closes a connection whose session was resumed on another server, without a CLOSE: as
// the former connection on one server ends. Whoever still sends here comes back by a ticket, if there
// is a later one.
func (c *Conn) leaveElsewhere() (Reply, Event) {
	_, ev := c.close(audit.DropState, wire.ReasonReplaced)
	ev.Drop, ev.Cause = audit.DropNone, CauseElsewhere
	return Reply{}, ev
}

// goneElsewhere ends a session of which its client says that it goes on on another server: its tickets
// stay good.
func (c *Conn) goneElsewhere() (Reply, Event) {
	c.session.halt(wire.ReasonReplaced, CauseElsewhere)
	return c.leaveElsewhere()
}

// close enters the state closed; later datagrams are counted as drop.
func (c *Conn) close(drop audit.Drop, reason wire.Reason) (Reply, Event) {
	left := uint32(0) // tickets up to this epoch are of no more use to a player who leaves
	if reason == wire.ReasonLeft && c.state == live && c.ticketed {
		left = c.current.number
	}
	c.enter(closed)
	c.why = drop
	c.end()
	c.partial = nil
	c.pending, c.answer, c.doubt = nil, nil, nil
	if c.session != nil && !c.livesOnFormer() {
		final := ticketsDrop(reason)
		switch {
		case drop == audit.DropRevoked: // terminate has handled its tickets, which may stay valid
			final = audit.DropNone
		case drop == audit.DropFingerprint, c.resuming != nil && c.resuming.why.drop != audit.DropNone:
			final = audit.DropNone // it continues elsewhere, or still may
		}
		c.gate.forget(c.session, final, reason != wire.ReasonLeft)
		if left > 0 {
			c.gate.noteLeft(c.session.name, left)
		}
	}
	ev := Event{Kind: EventClosed, Drop: drop, Reason: reason}
	if c.resuming != nil {
		return Reply{}, ev // another connection uses the session's numbers
	}
	return closeReply(reason), ev
}

// terminate ends the session for good after its connection has ended. ReasonLeft does not: it may
// be the client's word about the connection only.
func (c *Conn) terminate(reason wire.Reason) {
	if final := ticketsDrop(reason); c.session != nil && final != audit.DropNone && reason != wire.ReasonLeft {
		c.session.terminate(reason, final, CauseNone)
	}
}

// ticketsDrop returns why the tickets of a session are refused that ends for a reason, or DropNone
// if they stay valid.
func ticketsDrop(reason wire.Reason) audit.Drop {
	switch reason {
	case wire.ReasonIdle, wire.ReasonReplaced, wire.ReasonShutdown, wire.ReasonExpired:
		return audit.DropNone
	case wire.ReasonRevoked, wire.ReasonFingerprint, wire.ReasonRate:
		return audit.DropRevoked
	}
	return audit.DropTicket
}

func closeReply(reason wire.Reason) Reply { return closeWith(reason, 0, "") }

// closeWith returns the CLOSE with a detail, of which it sends as much as fits.
func closeWith(reason wire.Reason, retryAfter time.Duration, detail string) Reply {
	body := wire.CloseBody{Reason: reason, RetryAfter: uint32(retryAfter.Milliseconds()), Detail: closeDetail(detail)}
	return Reply{Kind: wire.KindClose, Body: body.AppendTo(nil)}
}
