package nakama

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// link is a player's way into the match: one WebSocket after the other.
type link struct {
	backend    *Backend        // constant, as all down to cancel
	player     *gateway.Player // who may have left
	want       request
	credential credential
	queue      *queue
	ctx        context.Context // ends when the player has left
	cancel     context.CancelFunc

	over    atomic.Bool            // nothing that the player says counts any more
	polite  atomic.Bool            // the player has left as planned
	verdict atomic.Pointer[ending] // what somebody else has found out
	socket  atomic.Pointer[socket] // of now

	// Of the goroutine of run, and of what it calls.
	joined bool   // once, by this link
	former bool   // the match may have a presence of the player from before
	out    []byte // a datagram for the player
}

func newLink(b *Backend, p *gateway.Player, want request) *link {
	l := &link{backend: b, player: p, want: want, queue: newQueue(), former: p.Origin() != transport.OriginOpened}
	l.credential = credential{backend: b, issuer: p.Session().Issuer(), subject: p.Session().Subject(), sessions: b.config.Sessions}
	l.ctx, l.cancel = context.WithCancel(b.ctx)
	return l
}

// leave ends the link. It runs in the turn of the player's shard.
func (l *link) leave(reason session.Reason) {
	l.over.Store(true)
	l.polite.Store(reason == session.ReasonLeft)
	l.cancel()
}

// conclude ends the player's stay from another goroutine.
func (l *link) conclude(e *ending) {
	if l.verdict.CompareAndSwap(nil, e) {
		l.over.Store(true)
		if s := l.socket.Load(); s != nil {
			s.close()
		}
	}
}

// run keeps the player in the match until one of the two does not want it any longer.
func (l *link) run() {
	defer l.cancel()
	lost, pause := time.Now(), retryFirst
	for {
		entered, err := l.play()
		if l.ctx.Err() != nil {
			return
		}
		if e := l.verdict.Load(); e != nil {
			l.end(e)
			return
		}
		if entered {
			lost, pause = time.Now(), retryFirst
			l.queue.stale()
			l.credential.renew()
		}
		e, final := errors.AsType[*ending](err)
		patient := l.patient(lost)
		switch {
		case final && (!l.former || e.cause != joinRejected || !patient):
			l.end(e)
			return
		case !patient && errors.Is(err, errCrowded):
			l.end(endCrowded)
			return
		case !patient: // a match that has the player still on its list is asked again until then
			l.end(endAway)
			return
		}
		if l.backend.seldom("broken") {
			l.backend.log.Warn("nakama: a player's WebSocket is made again", "error", err)
		}
		if transient(err) && !errors.Is(err, errCrowded) {
			l.backend.reach.doubt()
		}
		if l.wait(pause); l.verdict.Load() != nil {
			l.end(l.verdict.Load()) // not without this: who is to be put out does not join once more
			return
		}
		pause = min(2*pause, retryMost)
	}
}

// patient reports whether there is time for another attempt. While Nakama is away it is for the
// gateway to say how long players stay.
func (l *link) patient(lost time.Time) bool {
	back, _ := l.backend.reach.since()
	if back.After(lost) {
		lost = back
	}
	return l.backend.reach.isAway() || time.Since(lost) < l.backend.config.Stay
}

// wait waits for a pause, up to a half longer, and until Nakama is here.
func (l *link) wait(pause time.Duration) {
	timer := time.NewTimer(pause + rand.N(pause/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
		return
	}
	_, here := l.backend.reach.since()
	select {
	case <-here:
	case <-l.ctx.Done():
	}
}

// end ends the player's session, after what the match has said reliably has arrived.
func (l *link) end(e *ending) {
	l.over.Store(true)
	b := l.backend
	switch e {
	case endKicked:
		b.counts.kicked.Add(1)
		b.record(l.player, audit.Close, audit.DropNone, e.cause)
	case endOver:
		b.counts.over.Add(1)
	case endBehind, endSlow:
		if b.seldom(e.cause) {
			b.log.Warn("nakama: a session ends: "+e.cause, "so far", b.counts.behind.Load())
		}
	case endCrowded:
		if b.seldom(e.cause) {
			b.log.Warn("nakama: a session ends: " + e.cause)
		}
	case endAway, endUnknown:
		b.log.Warn("nakama: a session ends: " + e.cause)
	default:
		b.counts.refused.Add(1)
		b.record(l.player, audit.Reject, audit.DropMatch, e.cause)
		if b.seldom(e.cause) {
			b.log.Info("nakama: a player does not get into the match: " + e.cause)
		}
	}
	if e.detail == "" {
		l.player.CloseAfter(lastWords, e.reason)
		return
	}
	l.player.CloseAfter(lastWords, e.reason, cut(e.detail))
}

// play makes a WebSocket, joins the match, and carries messages until the WebSocket ends. entered says
// that the match was joined.
func (l *link) play() (entered bool, err error) {
	s, sessionID, err := l.enter()
	if err != nil {
		return false, err
	}
	defer s.close()
	l.backend.enter(l, sessionID)
	defer l.backend.exit(l, sessionID)
	b := l.backend
	b.counts.joined.Add(1)
	if l.joined {
		b.counts.rejoined.Add(1)
	}
	l.joined, l.former = true, true
	broken, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		l.write(s, broken)
	}()
	err = l.read(s)
	s.close()
	close(broken)
	<-written
	return true, err
}
