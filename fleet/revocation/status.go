package revocation

import (
	"context"
	"time"
)

var noContext = context.Background()

// Status is what a Subscriber knows, and how old it is.
type Status struct {
	Stale      bool // a publisher that is not Optional is stale: Mode applies
	Full       bool // the sink has no room for all: Mode applies
	Publishers []PublisherStatus
	Counts     SubscriberCounts
}

// PublisherStatus is what a Subscriber knows of one publisher.
type PublisherStatus struct {
	Name    string
	ID      PublisherID
	Epoch   uint64
	Applied uint64 // every record up to this number is in force
	Last    uint64 // the number of its last record, as far as is known

	// Age, if Heard, is the greatest possible age of the knowledge: what the publisher had signed
	// until then is in force. It is measured by clocks that never step, from a challenge that the
	// publisher has answered, so that a broker which delays or repeats messages only makes it higher.
	Heard bool
	Age   time.Duration
	Stale bool // Age is above SubscriberConfig.Stale, or not known

	Skew     time.Duration // how far its clock is ahead of ours at least, as of its last head
	Closed   bool          // it has said that its process ends
	Optional bool
}

// coreView is a copy of what a core knows. It does not change.
type coreView struct {
	full       bool
	publishers []PublisherStatus
	whole      []time.Time // of these, see follower.whole
	counts     SubscriberCounts
}

// view returns a copy.
func (c *core) view() *coreView {
	v := &coreView{counts: c.counts, publishers: make([]PublisherStatus, len(c.order)), whole: make([]time.Time, len(c.order))}
	for i, f := range c.order {
		v.full = v.full || !f.fullAt.IsZero()
		v.whole[i] = f.whole
		v.publishers[i] = PublisherStatus{
			Name: f.trusted.Name, ID: f.id, Epoch: f.head.epoch, Applied: f.have.whole() - 1, Last: max(f.head.last, f.have.whole()-1),
			Heard: f.wholeKnown, Skew: f.skew, Closed: f.head.closed, Optional: f.trusted.Optional,
		}
	}
	return v
}

// stale reports whether a publisher that is needed is stale.
func (v *coreView) stale(now time.Time, limit time.Duration) bool {
	for i := range v.publishers {
		if p := &v.publishers[i]; !p.Optional && (!p.Heard || now.Sub(v.whole[i]) > limit) {
			return true
		}
	}
	return false
}

// Status returns what is known now, publishers in the order in which they were given.
func (s *Subscriber) Status() Status {
	v, now := s.view.Load(), time.Now()
	out := Status{Stale: v.stale(now, s.config.Stale), Full: v.full, Counts: v.counts, Publishers: append([]PublisherStatus(nil), v.publishers...)}
	for i := range out.Publishers {
		p := &out.Publishers[i]
		if p.Heard {
			p.Age = now.Sub(v.whole[i])
		}
		p.Stale = !p.Heard || p.Age > s.config.Stale
	}
	return out
}
