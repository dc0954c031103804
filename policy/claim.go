package policy

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// tier is what one kind of key may have.
type tier struct {
	rate bucket.Rate
	most int32 // claims at once
}

// claim takes from the bucket of p, whose set the caller has locked, and a share of what it may hold at once.
func (t *tier) claim(p *place, now time.Time) bool {
	if p.held.Load() >= t.most || !t.rate.TakeShared(&p.full, now.UnixNano()) {
		return false
	}
	p.held.Add(1)
	return true
}

// shares are what one claim holds: a share of each place that is not nil.
type shares struct {
	tiers  []tier
	places [maxTiers]*place
}

// release ends the hold: from then on the places may be displaced.
func (s *shares) release() {
	for _, p := range s.places {
		if p != nil {
			p.held.Add(-1)
		}
	}
}

// refund returns what was taken from the first n buckets.
func (s *shares) refund(n int) {
	for i, p := range s.places[:n] {
		if p != nil {
			p.full.Add(-s.tiers[i].rate.Span(1))
		}
	}
}

// Claim is a handshake's share of what its address or its prefixes may have at once. It is safe for concurrent use.
type Claim struct {
	shares shares
	over   atomic.Bool
}

// Release gives the share back: the cookie has come back, or the handshake is over. Further calls do nothing.
func (c *Claim) Release() {
	if !c.over.Swap(true) {
		c.shares.release()
	}
}

// Refund is Release for a handshake that has not begun: it costs no budget either.
func (c *Claim) Refund() {
	if !c.over.Swap(true) {
		c.shares.refund(maxTiers)
		c.shares.release()
	}
}

// Renew has the claim go over to another handshake, for which budget is taken. It returns nil, and nothing has changed,
// when there is no budget or the claim has been given back.
func (c *Claim) Renew(now time.Time) *Claim {
	for i, p := range c.shares.places {
		if p != nil && !c.shares.tiers[i].rate.TakeShared(&p.full, now.UnixNano()) {
			c.shares.refund(i)
			return nil
		}
	}
	if c.over.Swap(true) {
		c.shares.refund(maxTiers)
		return nil
	}
	return &Claim{shares: c.shares}
}
