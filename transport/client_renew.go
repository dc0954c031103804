package transport

import (
	"math/rand/v2"
	"time"
)

// scheduleRenewal picks a moment when a third to a quarter of the token's life
// is left: spread, so that players who came together do not renew together.
//
// +checklocks:c.mu
func (c *Client) scheduleRenewal(now time.Time) {
	left := c.line.session.Expires().Sub(now)
	c.renewAt = now.Add(left*2/3 + time.Duration(rand.Float64()*float64(left)/12))
}

// renewSoon asks for a fresh token now, unless one is on its way.
//
// +checklocks:c.mu
func (c *Client) renewSoon(now time.Time) {
	if !c.fetching && !c.line.session.Renewing() {
		c.renewAt = now
	}
}

// renewal begins one when its time has come, and says when that is.
//
// +checklocks:c.mu
func (c *Client) renewal(now, due time.Time) time.Time {
	switch {
	case c.renewAt.IsZero() || c.fetching:
	case now.Before(c.renewAt):
		return earlier(due, c.renewAt)
	default:
		c.renewAt, c.fetching = time.Time{}, true
		c.wg.Go(c.renew)
	}
	return due
}

// renew fetches a fresh identity token and has it presented. One that is not
// answered is followed by another: it may have been refused.
func (c *Client) renew() {
	identity, err := c.config.Token(c.ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.fetching, c.renewAt = false, now.Add(renewPatience)
	if err == nil {
		err = c.line.session.Renew(now, identity)
	}
	if err != nil {
		c.renewAt = now.Add(renewRetry)
		c.notify(ClientEvent{Kind: EventRefused, Err: err})
	}
	c.tick(now)
}
