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

// link is what both ends of a session have in common: its keys by epoch, the
// replay window over what comes in, the sequence number of what goes out.
type link struct {
	// Receiving half. What every datagram needs stands together: among 10,000
	// sessions each line of cache that it touches costs as much as the tag.
	id            uint32 // 0 before the session
	window        replay.Window
	current       *epoch
	next          *epoch // made, not yet used by the peer
	previous      *epoch // good until previousUntil
	previousUntil int64  // Unix ns
	first         epoch  // current points to it until a renewal

	// Sending half. The receiving half stores into sending and ended.
	sending  atomic.Pointer[epoch] // nil before the session
	ended    atomic.Bool           // from here on only CLOSE goes out
	sequence uint64                // last one sent

	isClient bool
	binding  byte // constant once the session has begun
	overlap  time.Duration
}

// begin starts the session's first epoch on this connection. Window and sequence are as they should be.
func (l *link) begin(s keyContext, secret *[32]byte, number uint32) error {
	if err := l.first.init(&s, secret, number, l.isClient); err != nil {
		return err
	}
	l.id, l.binding = s.session, s.binding
	l.current = &l.first
	l.sending.Store(l.current)
	return nil
}

// restIn lets go of the receiving half's ciphers, until the next datagram.
func (l *link) restIn() {
	for _, e := range []*epoch{l.current, l.next, l.previous} {
		if e != nil {
			e.in.rest()
		}
	}
}

// restOut does so with the sending half's if it is silent, and erases what it
// has no use for any more.
func (l *link) restOut(silent bool) {
	e := l.sending.Load()
	if e != nil && silent {
		e.out.rest()
	}
	if e != &l.first {
		l.first.out.wipe()
	}
}

// end lets nothing in any more, and nothing out but a CLOSE.
func (l *link) end() {
	l.ended.Store(true)
	for _, e := range []*epoch{l.current, l.next, l.previous} {
		if e != nil {
			e.in.wipe()
		}
	}
	l.current, l.next, l.previous = nil, nil, nil
}

// epochOf finds the epoch that an envelope names, nil if it is none of the
// current, the next, and within the overlap the previous one.
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

// unseen restores the sequence number of env and asks the window. It changes
// nothing.
func (l *link) checkWindow(env *wire.Envelope) (uint64, bool) {
	seq := l.window.Restore(env.Seq)
	return seq, seq != 0 && l.window.Check(seq)
}

// tagged says whether env carries the tag of its sequence number under e.
func (l *link) checkTag(e *epoch, env *wire.Envelope, seq uint64) bool {
	wire.TagInput(&e.in.block, env.Kind, e.bits(), env.Session, seq, len(env.Body))
	return e.in.tag().Equal(env.Tag)
}

// verify is steps 6 to 8 of the receive list for a kind that carries a tag.
// It changes nothing.
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

// promote makes the next epoch the current one and starts the overlap.
func (l *link) promote(now time.Time) {
	l.previous, l.previousUntil = l.current, now.Add(l.overlap).UnixNano()
	l.current, l.next = l.next, nil
	l.sending.Store(l.current)
}

// retire forgets the previous epoch once the overlap is over.
func (l *link) retire(now time.Time) {
	if l.previous != nil && now.UnixNano() >= l.previousUntil {
		l.previous.in.wipe()
		l.previous = nil
	}
}

// afterwards is what a datagram leads to that comes after the end of the session and was dropped for drop: nothing,
// unless the peer says CLOSE.
func (l *link) afterEnd(drop audit.Drop, env *wire.Envelope) (Reply, Event) {
	if env.Kind == wire.KindClose && env.Session == l.id {
		if _, err := wire.ParseCloseBody(env.Body); err == nil {
			return Reply{}, Event{Kind: EventCloseAgain}
		}
	}
	return dropped(drop)
}

// append writes an envelope of the session behind dst.
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

// untagged says which envelopes have a header of zeros.
func hasNoTag(kind wire.Kind, inSession bool) bool {
	return kind == wire.KindHello || kind == wire.KindWelcome || kind == wire.KindClose && !inSession
}
