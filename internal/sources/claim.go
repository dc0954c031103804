package sources

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// tier bounds the sources of one prefix length.
type tier struct {
	rate bucket.Rate
	most int32 // claims at once
}

// claim takes a token from the bucket of p and one of its concurrent claims. The caller has locked
// p's set.
func (t *tier) claim(p *place, now time.Time) bool {
	if p.held.Load() >= t.most || !t.rate.TakeShared(&p.full, now.UnixNano()) {
		return false
	}
	p.held.Add(1)
	return true
}

// shares are what one claim holds: a claim on each place that is not nil.
type shares struct {
	tiers  []tier
	places [maxTiers]*place
	crowd  *crowd // nil for none
}

// release gives up the places, which may then be displaced.
func (s *shares) release() {
	for _, p := range s.places {
		if p != nil {
			p.held.Add(-1)
		}
	}
	if s.crowd != nil {
		s.crowd.leave()
	}
}

// refund returns the tokens taken from the first n buckets.
func (s *shares) refund(n int) {
	for i, p := range s.places[:n] {
		if p != nil {
			p.full.Add(-s.tiers[i].rate.Span(1))
		}
	}
}

// Claim is the part of a handshake in the concurrent handshakes of its address or its prefixes. It
// is safe for concurrent use.
type Claim struct {
	shares shares
	over   atomic.Bool
}

// Release ends the claim: the cookie has come back, or the handshake is over. Further calls do
// nothing.
func (c *Claim) Release() {
	if !c.over.Swap(true) {
		c.shares.release()
	}
}

// Refund is Release for a handshake that has not begun: it also returns the tokens.
func (c *Claim) Refund() {
	if !c.over.Swap(true) {
		c.shares.refund(maxTiers)
		if c.shares.crowd != nil {
			c.shares.crowd.refund()
		}
		c.shares.release()
	}
}

// Renew passes the claim on to another handshake, for which it takes tokens. It returns nil, and
// changes nothing, if there are none or the claim has been released.
func (c *Claim) Renew(now time.Time) *Claim {
	crowd := c.shares.crowd
	if crowd != nil && !crowd.take(now) {
		return nil
	}
	for i, p := range c.shares.places {
		if p != nil && !c.shares.tiers[i].rate.TakeShared(&p.full, now.UnixNano()) {
			c.shares.refund(i)
			if crowd != nil {
				crowd.refund()
			}
			return nil
		}
	}
	if c.over.Swap(true) {
		c.shares.refund(maxTiers)
		if crowd != nil {
			crowd.refund()
		}
		return nil
	}
	return &Claim{shares: c.shares}
}
