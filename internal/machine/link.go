package machine

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/session"
)

// ErrNotLive means that the session has not begun or has ended.
var ErrNotLive = errors.New("session: not live")

// link is common to both ends of a session: the keys by epoch, the replay window of the receiving
// direction and the sequence number of the sending one.
type link struct {
	// Receiving half. The fields that every datagram needs stand together: among 10,000 sessions
	// each cache line costs as much as the tag.
	id            uint32 // 0 before the session
	window        replay.Window
	current       *epoch
	next          *epoch // derived, not used by the peer yet
	previous      *epoch // valid until previousUntil
	previousUntil int64  // Unix ns
	first         epoch  // storage of the first epoch, so that it takes no allocation

	// Sending half. The receiving half writes sending and ended.
	sending  atomic.Pointer[epoch] // nil before the session
	ended    atomic.Bool           // only CLOSE is sent from here on
	sequence uint64                // the last one sent

	isClient     bool
	binding      byte   // constant once the session has begun
	connectionID uint32 // 0 for none; the server's only
	overlap      time.Duration
}

// begin starts the first epoch on this connection. Window and sequence are set already.
func (l *link) begin(s keyContext, secret *[32]byte, number uint32) error {
	if err := l.first.init(&s, secret, number, l.isClient); err != nil {
		return err
	}
	l.id, l.binding = s.session, s.binding
	l.current = &l.first
	l.sending.Store(l.current)
	return nil
}

// dropExpandedIn drops the expanded keys of the receiving half until the next datagram.
func (l *link) dropExpandedIn() {
	for _, e := range []*epoch{l.current, l.next, l.previous} {
		if e != nil {
			e.in.dropExpanded()
		}
	}
}

// dropExpandedOut drops the expanded key of the sending half if it is silent, and erases the key of
// the first epoch once it is over.
func (l *link) dropExpandedOut(silent bool) {
	e := l.sending.Load()
	if e != nil && silent {
		e.out.dropExpanded()
	}
	if e != &l.first {
		l.first.out.wipe()
	}
}

// end lets nothing in from now on, and nothing out but a CLOSE.
func (l *link) end() {
	l.ended.Store(true)
	for _, e := range []*epoch{l.current, l.next, l.previous} {
		if e != nil {
			e.in.wipe()
		}
	}
	l.current, l.next, l.previous = nil, nil, nil
}

// epochOf returns the epoch that an envelope names: the current, the next, or within the overlap
// the previous one. It returns nil for any other.
func (l *link) epochOf(now time.Time, bits uint8) *epoch {
	switch {
	case bits == l.current.bits():
		return l.current
	case l.next != nil && bits == l.next.bits():
		return l.next
	case l.previous != nil && bits == l.previous.bits() && now.UnixNano() < l.previousUntil:
		return l.previous
	}
	return nil
}

// checkWindow restores the sequence number of env and reports whether the window accepts it.
// It changes nothing.
func (l *link) checkWindow(env *wire.Envelope) (uint64, bool) {
	seq := l.window.Restore(env.Seq)
	return seq, seq != 0 && l.window.Check(seq)
}

// checkTag reports whether env carries the tag of its sequence number under e.
func (l *link) checkTag(e *epoch, env *wire.Envelope, seq uint64) bool {
	wire.TagInput(&e.in.block, env.Kind, e.bits(), env.Session, seq, len(env.Body))
	return e.in.tag().Equal(env.Tag)
}

// verify is steps 6 to 8 of the receive list for a kind that carries a tag. It changes nothing.
func (l *link) verify(now time.Time, env *wire.Envelope) (*epoch, uint64, audit.Drop) {
	e := l.epochOf(now, env.Epoch)
	if e == nil {
		return nil, 0, audit.DropEpoch
	}
	seq, ok := l.checkWindow(env)
	if !ok {
		return nil, 0, audit.DropReplay
	}
	if !l.checkTag(e, env, seq) {
		return nil, 0, audit.DropTag
	}
	return e, seq, audit.DropNone
}

// promote makes the next epoch current and starts the overlap.
func (l *link) promote(now time.Time) {
	l.previous, l.previousUntil = l.current, now.Add(l.overlap).UnixNano()
	l.current, l.next = l.next, nil
	l.sending.Store(l.current)
}

// retire drops the previous epoch once the overlap is over.
func (l *link) retire(now time.Time) {
	if l.previous != nil && now.UnixNano() >= l.previousUntil {
		l.previous.in.wipe()
		l.previous = nil
	}
}

// afterEnd handles a datagram that was dropped for drop after the end of the session: it reports
// the peer's CLOSE and nothing else.
func (l *link) afterEnd(drop audit.Drop, env *wire.Envelope) (Reply, Event) {
	if env.Kind == wire.KindClose && env.Session == l.id {
		if _, err := wire.ParseCloseBody(env.Body); err == nil {
			return Reply{}, Event{Kind: EventCloseAgain}
		}
	}
	return dropped(drop)
}

// append appends an envelope of the session to dst.
func (l *link) append(dst []byte, kind wire.Kind, body []byte) ([]byte, error) {
	if len(body) > wire.MaxBody {
		return dst, session.ErrTooLarge
	}
	env := wire.Envelope{Kind: kind, Body: body}
	e := l.sending.Load()
	switch {
	case hasNoTag(kind, e != nil):
		return env.AppendTo(dst), nil
	case e == nil, l.ended.Load() && kind != wire.KindClose:
		return dst, ErrNotLive
	}
	l.sequence++
	env.Session = l.id
	env.Seq = uint32(l.sequence)
	if kind != wire.KindBearer {
		env.Epoch = e.bits()
		wire.TagInput(&e.out.block, kind, env.Epoch, env.Session, l.sequence, len(body))
		env.Tag = e.out.tag()
	}
	return env.AppendTo(dst), nil
}

// hasNoTag reports whether an envelope has a header of zeros.
func hasNoTag(kind wire.Kind, inSession bool) bool {
	return kind == wire.KindHello || kind == wire.KindWelcome || kind == wire.KindClose && !inSession
}
