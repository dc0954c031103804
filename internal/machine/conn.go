package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/replay"
)

type state uint8

const (
	opening   state = iota // no complete HELLO yet
	verifying              // HELLO waits for Verified or Resume
	welcomed               // a session is resumed here, but none of its datagrams has come; see resumption
	live                   // the session lives here
	closed
)

// transition, if set, is told of every change of a connection's state: a test compares them with the
// table of the package comment.
var transition func(from, to state)

// enter changes the state.
func (c *Conn) enter(to state) {
	if transition != nil {
		transition(c.state, to)
	}
	c.state = to
}

// begun reports whether a session has begun here and not ended.
func (c *Conn) begun() bool { return c.state == live || c.state == welcomed }

// Conn is the server's end of one connection. Its receiving half belongs to
// one goroutine at a time, its sending half (Append) to another.
type Conn struct {
	// The receiving half's own; as in link, what every datagram needs stands
	// together.
	state     state
	why       audit.Drop // once closed
	excess    bool       // behaviour is past the revocation line
	confined  bool       // a step up has lapsed: the network may not change
	unheard   bool       // RENEWED seems not to have come, since the player shows another token
	badTags   int
	session   *Session  // nil before EventJoined; then it is own
	answer    *answer   // what a repeated HELLO or RENEW is told
	since     time.Time // when this state or the last accepted datagram began
	seen      uint64    // digest of the fingerprint as it is now
	bound     uint64    // and of what the session is bound to
	accepted  uint64    // datagrams
	gate      *Gate     // constant
	behaviour policy.Behaviour
	own       Session

	link

	channel   Channel      // constant
	path      netip.Prefix // where datagrams come from now
	partial   partial
	pending   *pending // what Verified will decide
	again     int64    // no token is looked at before, after one was refused; Unix ns
	doubt     *doubt   // nil as long as nothing is to be told
	probe     *probe   // nil as long as nothing is measured or challenged
	hint      uint32
	renewable uint32 // no RENEW is looked at before, unless a step up asks for it; Unix s

	resuming *resumption // nil unless the session has been resumed here, and nothing has come since
	ticketed bool        // the player has a ticket
	reports  bool        // the player wants to know what is lost
	bears    bool        // the player carries the identity token in datagrams
	report   [8 + 4]byte // the last PONG
}

// partial is a HELLO or RENEW of which parts have come.
type partial struct {
	kind  wire.Kind
	parts *wire.Assembler // nil before the first
}

// answer is kept as long as a copy of what it answers may come: a WELCOME until
// the client's first datagram shows that it got it, a RENEWED until the next.
type answer struct {
	digest [32]byte // of the HELLO or RENEW body
	reply  Reply
}

// NewConn returns a Conn after Init.
func (g *Gate) NewConn(now time.Time, ch Channel, addr netip.Addr) *Conn {
	c := new(Conn)
	c.Init(g, now, ch, addr)
	return c
}

// Init makes a zero Conn the machine for a new connection from addr. From then on it must not be copied.
func (c *Conn) Init(g *Gate, now time.Time, ch Channel, addr netip.Addr) {
	c.gate, c.channel, c.since, c.path = g, ch, now, g.config.Fingerprint.Prefix(addr)
	c.overlap = g.config.Overlap
	c.window = replay.Make(g.config.Window)
}

// schedule is what goes into the session's keys on this connection.
func (c *Conn) schedule() keyContext {
	return keyContext{c.channel.Exporter, c.binding, c.session.id, digestOf(c.session.fingerprint, &c.channel)}
}

// SetHint says by what the player is to be found at another address, 0 for
// nothing: WELCOME tells it the client, so call it before.
func (c *Conn) SetHint(hint uint32) { c.hint = hint }

// RestHandle lets go of what is expanded from keys, half a kilobyte, for a
// player who is silent. The next datagram expands it again, which costs an
// allocation. It belongs to the receiving half.
func (c *Conn) RestHandle() { c.dropExpandedIn() }

// RestAppend is RestHandle's twin for a player to whom nothing is sent, if
// silent says so; besides, it erases the keys of epochs that are over. It
// belongs to the sending half.
func (c *Conn) RestAppend(silent bool) { c.dropExpandedOut(silent) }

// Session is the player's session; nil before EventJoined.
func (c *Conn) Session() *Session { return c.session }

// Append writes the envelope for kind and body behind dst. It is the sending
// half: one goroutine at a time, which may be another than the receiving one.
// It returns ErrNotLive outside a session and ErrTooLarge for a body over
// wire.MaxBody bytes.
func (c *Conn) Append(dst []byte, kind wire.Kind, body []byte) ([]byte, error) {
	return c.append(dst, kind, body)
}

// Tick looks at the machine's time limits. Call it about once a second.
func (c *Conn) Tick(now time.Time) (Reply, Event) {
	idle := now.Sub(c.since)
	switch c.state {
	case opening:
		if idle >= helloTimeout {
			return c.close(audit.DropIdle, wire.ReasonIdle)
		}
	case verifying:
		if idle >= helloTimeout {
			return c.refuse(audit.DropBusy)
		}
	case welcomed:
		return c.tickWelcomed(now, idle)
	case live:
		c.retire(now)
		c.noteQuiet(idle)
		if drop := c.session.checkLife(c.gate.wall(now), c.gate.config.Leeway); drop != audit.DropNone {
			return c.expire(drop)
		}
		if idle >= c.gate.config.Idle && c.owes() && c.Away() {
			return c.lapseStepUp(now)
		}
		if idle >= c.gate.config.Idle {
			return c.close(audit.DropIdle, wire.ReasonIdle)
		}
		if c.unheard && c.next != nil {
			c.unheard = false
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
	if !c.elsewhere() { // else the former connection knows
		c.noteQuiet(idle)
	}
	if drop := c.session.checkLife(c.gate.wall(now), c.gate.config.Leeway); drop != audit.DropNone {
		return c.expire(drop)
	}
	if idle >= min(c.gate.config.Idle, helloTimeout) {
		return c.close(audit.DropIdle, wire.ReasonIdle)
	}
	return Reply{}, Event{}
}

// noteQuiet tells the session for how long nothing has been accepted.
func (c *Conn) noteQuiet(idle time.Duration) {
	c.session.quiet.Store(uint32(min(max(idle, 0), time.Hour).Milliseconds()))
}

// tooSoon says whether a token was refused a moment ago.
func (c *Conn) tooSoon(now time.Time) bool { return now.UnixNano() < c.again }

// Close ends the session from the server's side, as at a shutdown. The reply is
// the CLOSE to send. Where the session still lives on another connection only this
// one ends. Where this one has ended before, a reason that ends the
// session for good ends it all the same, on whatever connection it lives by now.
func (c *Conn) Close(reason wire.Reason) (Reply, Event) {
	if c.state == closed {
		c.terminate(reason)
		return Reply{}, Event{}
	}
	reply, ev := c.close(audit.DropState, reason)
	ev.Drop = audit.DropNone
	return reply, ev
}

// Disconnected ends the connection, because its peer has ended it without a word about the session. So has the session if
// it lives here, unless its player has a ticket, which Resumable reports. One that lives elsewhere, or waits for its first
// datagram, stays as it is: the player may show the same ticket again.
func (c *Conn) Disconnected() (Reply, Event) {
	if c.resuming == nil {
		return c.Close(wire.ReasonLeft)
	}
	return c.close(audit.DropState, wire.ReasonIdle)
}

// expire ends a session whose life is over, and says why if a renewal was
// refused before.
func (c *Conn) expire(drop audit.Drop) (Reply, Event) {
	reason := reasons[drop]
	if r := c.session.reason(); drop == audit.DropRevoked && r != 0 {
		reason = r
	}
	if p := c.pending; drop == audit.DropExpired && p != nil && p.refused != audit.DropNone {
		reason = reasons[p.refused]
	}
	return c.close(drop, reason)
}

// close leaves the live states for good; drop is what later datagrams are
// counted as.
func (c *Conn) close(drop audit.Drop, reason wire.Reason) (Reply, Event) {
	c.enter(closed)
	c.why = drop
	c.end()
	c.partial.parts = nil
	c.pending, c.answer, c.doubt = nil, nil, nil
	if c.session != nil && !c.elsewhere() {
		final := finality(reason)
		switch {
		case drop == audit.DropRevoked: // terminate has seen to its tickets, which may stay good
			final = audit.DropNone
		case drop == audit.DropFingerprint, c.resuming != nil && c.resuming.why != audit.DropNone:
			final = audit.DropNone // it goes on elsewhere, or may yet
		}
		c.gate.forget(c.session, final, reason != wire.ReasonLeft)
	}
	ev := Event{Kind: EventClosed, Drop: drop, Reason: reason}
	if c.resuming != nil {
		return Reply{}, ev // the session's numbers are another connection's to use
	}
	return closeReply(reason, 0), ev
}

// terminate ends the session for good of a connection that has ended. ReasonLeft, which may be the other end's word about
// the connection, does not.
func (c *Conn) terminate(reason wire.Reason) {
	if final := finality(reason); c.session != nil && final != audit.DropNone && reason != wire.ReasonLeft {
		c.session.terminate(reason, final)
	}
}

// finality is why no ticket of a session is taken that has ended for a reason; DropNone if only its connection has.
func finality(reason wire.Reason) audit.Drop {
	switch reason {
	case wire.ReasonIdle, wire.ReasonReplaced, wire.ReasonShutdown, wire.ReasonExpired:
		return audit.DropNone
	case wire.ReasonRevoked, wire.ReasonFingerprint, wire.ReasonRate:
		return audit.DropRevoked
	}
	return audit.DropTicket
}

func closeReply(reason wire.Reason, retryAfter time.Duration) Reply {
	body := wire.CloseBody{Reason: reason, RetryAfter: uint32(retryAfter.Milliseconds())}
	return Reply{Kind: wire.KindClose, Body: body.AppendTo(nil)}
}
