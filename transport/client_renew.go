package transport

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
)

// renewal is when the client asks for a fresh identity token.
type renewal struct {
	at       time.Time     // zero means never; while one is being asked for, after now if none is needed any more
	fetching bool          // a token is being asked for
	late     int           // calls of ClientConfig.Token in a row that were not over in time
	took     time.Duration // the quickest call that gave a token
	shown    []byte        // the identity token shown last
	awake    time.Time     // when the wall clock has last been compared with the monotonic one
}

// schedule has a fresh token asked for in good time, and none is needed before.
func (r *renewal) schedule(now, expires time.Time) { r.at, r.awake = inGoodTime(now, expires), now }

// catchUp brings what has been scheduled forward by as long as the machine has slept since it was
// last awake: the client's clock stood still meanwhile, as the wall clock tells, and the session's
// life went on. A sleep of more than the idle time ends in a resumption; beyond that the wall clock
// was set.
func (r *renewal) catchUp(now time.Time, idle time.Duration) {
	slept := now.Round(0).Sub(r.awake.Round(0)) - now.Sub(r.awake)
	if 0 <= slept && slept < clockError {
		return
	}
	r.awake = now
	if slept > 0 && !r.at.IsZero() {
		if idle > 0 {
			slept = min(slept, idle)
		}
		r.at = r.at.Add(-slept)
	}
}

// bringForward is schedule where that is sooner than what has been scheduled: the session ends sooner by the
// client's clock than was thought if that has stood still, because the machine has slept.
func (r *renewal) bringForward(now, expires time.Time) {
	if !r.at.IsZero() {
		r.at = earlier(r.at, inGoodTime(now, expires))
	}
}

// inGoodTime returns a moment when a third to a quarter of the token's life is left: spread, so that
// players who came together do not renew together.
func inGoodTime(now, expires time.Time) time.Time {
	left := expires.Sub(now)
	return now.Add(left*2/3 + time.Duration(rand.Float64()*float64(left)/12))
}

// check reports whether to fetch a token now, and returns when to check again, due at the latest.
func (r *renewal) check(now, due time.Time) (_ time.Time, fetch bool) {
	switch {
	case r.at.IsZero() || r.fetching:
	case now.Before(r.at):
		return earlier(due, r.at), false
	default:
		r.at, r.fetching = time.Time{}, true
		return due, true
	}
	return due, false
}

// patience returns how long a fetch may take when the session has so much life left: twice as long as
// the quickest one so far, since a login may be slow for everybody. Each that was not over in time gives
// the next one twice as long, but no more than half of that life, so that another can follow.
func (r *renewal) patience(left time.Duration) time.Duration {
	return max(tokenPatience, min(tokenPatience<<r.late, left/2), 2*r.took)
}

// fetched records that a fetch has ended, which began at began, and whether in time.
func (r *renewal) fetched(began, now time.Time, err error, late bool) {
	r.fetching = false
	if err == nil {
		r.took = min(r.took, now.Sub(began))
	}
	if late {
		r.late++
	} else {
		r.late = 0
	}
}

// soon has a fresh token asked for now, unless the session's machine waits for the answer to one.
func (r *renewal) soon(now time.Time, m *machine.Client) {
	if !m.Renewing() {
		r.at = now
	}
}

// answerTime returns how long a RENEW may wait for its answer before another token is tried, when
// the session has so much life left. RENEWED does not say which token it is for, and in bearer mode
// the payloads carry that one: so an answer that is lost has time to be repeated.
func (c *ClientConfig) answerTime(left time.Duration) time.Duration {
	if !c.Session.Bearer {
		return renewPatience
	}
	return max(renewPatience, left/2)
}

// renewed notes that the server has taken a fresh token and has given another ticket.
func (s *clientState) renewed(now time.Time) {
	s.resumption.retryAt, s.resumption.proves, s.resumption.identity = time.Time{}, false, nil
	if s.conns.next != nil {
		s.conns.next.resuming.overtaken = true
	}
	s.renewal.schedule(now, s.conns.current.machine.Expires())
}

// renew fetches a fresh identity token, for as long as patience, and has it presented, where a step
// up has lapsed beside the ticket. One that is not answered is followed by another: it may have
// been refused.
func (c *Client) renew(patience time.Duration) {
	ctx, cancel := context.WithTimeout(c.background.ctx, patience)
	began := c.now()
	identity, err := c.config.identityToken(ctx)
	late := err != nil && ctx.Err() != nil
	cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.progress.over() != nil {
		return
	}
	now := c.now()
	c.state.renewal.fetched(began, now, err, late)
	if c.state.renewal.at.After(now) { // renewed meanwhile: the server would not take another one so soon
		c.tick(now)
		return
	}
	current := c.state.conns.current.machine
	c.state.renewal.at = now.Add(c.config.answerTime(current.Expires().Sub(now)))
	if err == nil {
		c.state.renewal.shown = identity
		if !c.state.resumption.offer(now, current, identity) {
			err = current.Renew(now, identity)
		}
	}
	if err != nil {
		c.state.renewal.at = now.Add(renewRetry)
		c.state.reports.notify(ClientEvent{Kind: EventNoToken, Err: err})
	}
	c.tick(now)
}
