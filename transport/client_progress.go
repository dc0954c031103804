package transport

import (
	"context"
	"errors"
	"time"
)

// errUnanswered means that HELLO has not been answered in time.
var errUnanswered = errors.New("transport: HELLO is not answered")

// progress is how far a session has come, for the goroutines that wait for it. Its channels are
// constant; join and end are called under Client.mu.
type progress struct {
	joined       chan struct{} // closed by WELCOME
	ended        chan struct{} // closed when the session, or the attempt to begin it, is over
	acknowledged chan struct{} // capacity 1: the server has answered our CLOSE, or never will
	cause        error         // why it is over; constant once ended is closed
	linger       time.Time     // until when turns go on after the end, for the last answers; guarded by Client.mu
}

func (p *progress) init() {
	p.joined, p.ended = make(chan struct{}), make(chan struct{})
	p.acknowledged = make(chan struct{}, 1)
}

// join records that the server has let the client in.
func (p *progress) join() { close(p.joined) }

// hasJoined reports whether the server has ever let the client in.
func (p *progress) hasJoined() bool {
	select {
	case <-p.joined:
		return true
	default:
		return false
	}
}

// end records why the session is over. It is called once.
func (p *progress) end(cause error) {
	p.cause = cause
	close(p.ended)
}

// over returns why the session is over, nil while it is not.
func (p *progress) over() error {
	select {
	case <-p.ended:
		return p.cause
	default:
		return nil
	}
}

// finished reports whether nothing is to be done any more. It is called under Client.mu.
func (p *progress) finished(now time.Time) bool { return p.over() != nil && !now.Before(p.linger) }

// awaitWelcome waits until HELLO is answered: for patience, unless that is 0, and until ctx is
// done; then it returns errUnanswered. For a client that was let in it returns nil even if the
// session is over by now: Receive reports that.
func (p *progress) awaitWelcome(ctx context.Context, patience time.Duration) error {
	var late <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-p.joined:
	case <-p.ended:
	case <-ctx.Done():
	case <-late:
	}
	if p.hasJoined() {
		return nil
	}
	if err := p.over(); err != nil {
		return err
	}
	return errUnanswered
}

// acknowledge ends the repetition of our CLOSE.
func (p *progress) acknowledge() {
	select {
	case p.acknowledged <- struct{}{}:
	default:
	}
}

// acknowledgedWithin waits for the answer to our CLOSE and reports whether it came in time.
func (p *progress) acknowledgedWithin(wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-p.acknowledged:
		return true
	case <-t.C:
		return false
	}
}
