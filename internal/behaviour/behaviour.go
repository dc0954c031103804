package behaviour

import (
	"time"

	"github.com/sallyport/sallyport/policy"
)

// Behaviour counts what one session has done lately: it holds two token buckets, the state changes
// of the last Window, and an estimate of those still in flight. It is a value of 120 bytes, stored
// in its session, with one owner. Start makes it ready.
//
// State changes are counted in sixteen slots, of which the newest is filling and the oldest is
// dropped whole. The count is never above that of the last Window and never below that of its last
// 15/16: no session is revoked early, and a sender that keeps a rate above a threshold exceeds it
// at least once in each slot.
//
// Time is when datagrams arrived. A step forward is a silence: it clears the state changes and
// fills the buckets, that is, allows one burst. A step back by up to one slot goes unnoticed; a
// longer one clears the state changes and empties the buckets at most. So no step revokes.
type Behaviour struct {
	limits    *Limits // set by Start
	datagrams int64   // when the bucket is full again, Unix ns
	bytes     int64   // likewise

	usual  int64 // state changes in a Window as the player sends them, in units; see credit.go
	credit int64 // state changes that may still be in flight, in units

	begin   int64         // of the newest slot, Unix ns
	counts  [slots]uint32 // a ring; each at most maxChanges + 1, so that the sum stays below 2^29
	sum     uint32        // of counts
	newest  uint8         // index into counts
	flagged bool          // VerdictFlag given, and not calm since
}

// Start clears b. It keeps l, which NewLimits has returned and which must not change afterwards; with
// any other limits no datagram passes.
func (b *Behaviour) Start(l *Limits, now time.Time) {
	ns := now.UnixNano()
	*b = Behaviour{limits: l, datagrams: ns, bytes: ns, begin: ns}
}

// Observe judges one datagram that has passed tag and replay, from the bytes of its payload and the
// number of its state changes. A dropped datagram takes nothing from the two buckets, but its state
// changes count: a bot that keeps pushing is revoked. Negative numbers count as zero, bytes above
// 65,535 and a cost above any threshold as the largest. Observe does not read the clock and does
// not allocate.
func (b *Behaviour) Observe(now time.Time, bytes, cost int) policy.Verdict {
	l, ns := b.limits, now.UnixNano()
	b.slide(ns)
	b.count(cost)
	switch n := int(b.sum); {
	case n > l.Revoke && int64(n-l.Revoke) > b.credit/unit:
		return policy.VerdictRevoke
	case n > l.Limit, !b.afford(ns, bytes):
		return policy.VerdictLimit
	case n > l.Flag && !b.flagged:
		b.flagged = true
		return policy.VerdictFlag
	case n <= l.Flag/2:
		b.flagged = false
	}
	return policy.VerdictAllow
}

// Calm reports whether the state changes that Observe has counted lately are at most half of Flag,
// a rate too low to be worth automating.
func (b *Behaviour) Calm() bool { return int(b.sum) <= b.limits.Flag/2 }

// Prefetch reads the memory that the next Observe needs. It changes nothing.
func (b *Behaviour) Prefetch() byte { return byte(b.begin) ^ byte(b.sum) }

// slide advances the newest slot to now.
func (b *Behaviour) slide(now int64) {
	slot := b.limits.slot
	since := now - b.begin
	if since >= -slot && since < slot {
		return
	}
	if since < 0 || slot == 0 {
		b.counts, b.sum, b.begin = [slots]uint32{}, 0, now
		return
	}
	passed := since / slot
	for range min(passed, slots) {
		b.advance()
	}
	b.begin += passed * slot
	if passed >= slots {
		b.begin = now
		b.idle(passed)
	}
}

// advance finishes the newest slot and drops the oldest.
func (b *Behaviour) advance() {
	b.finish()
	b.newest = (b.newest + 1) % slots
	b.spend(b.counts[b.newest])
	b.sum -= b.counts[b.newest]
	b.counts[b.newest] = 0
}

// count adds cost to the newest slot, up to its limit.
func (b *Behaviour) count(cost int) {
	s := &b.counts[b.newest]
	n := min(uint32(min(max(cost, 0), maxChanges+1)), maxChanges+1-*s)
	*s += n
	b.sum += n
}

// afford takes a datagram and its bytes from the buckets, both or neither.
func (b *Behaviour) afford(now int64, bytes int) bool {
	l, n := b.limits, int64(min(max(bytes, 0), maxPayload))
	b.datagrams, b.bytes = l.datagrams.Settle(b.datagrams, now), l.bytes.Settle(b.bytes, now)
	if !l.datagrams.Has(b.datagrams, now, 1) || !l.bytes.Has(b.bytes, now, n) {
		return false
	}
	b.datagrams += l.datagrams.Span(1)
	b.bytes += l.bytes.Span(n)
	return true
}
