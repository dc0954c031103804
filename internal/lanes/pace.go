package lanes

import "time"

// A pace says how much may be under way, and how fast it leaves. It follows the queueing delay: the
// RTT above its smallest value is to be at most max(10 ms, RTT/4). The window grows by a datagram a
// round trip, by more while no queue shows, and shrinks to what arrives and half of that delay; at
// the beginning it doubles. Loss alone slows it down only where it lasts above 5 %, and then to a
// quarter more than what arrives.
type pace struct {
	floor, ceiling float64       // bytes a second
	datagrams      float64       // a second, at most; zero: any number
	slots          float64       // datagrams that may leave now, see slotsOf
	window         float64       // bytes under way
	tokens         float64       // bytes that may leave now
	spare          float64       // of the rate, what ACKs and other kinds than FRAMES may still take
	quota          quota         // of what the peer takes, what they may still take
	share          time.Duration // when the lanes' share of the slots is due again
	at             time.Duration // when tokens was right
	starved        time.Duration // when something was last seen to wait for tokens; zero if nothing does
	low            time.Duration // smallest RTT of the last round trip
	best           float64       // bytes a second that have arrived, the most of late
	slowed         float64       // the window to return to after a slow round trip, zero outside of one
	slowAt         time.Duration // when the next slow one is due

	// This round trip.
	round   uint64 // the sequence whose acknowledgement ends it
	roundAt time.Duration
	lowest  time.Duration    // its smallest RTT
	last    [3]time.Duration // its last RTTs
	bytes   int              // acknowledged
	acks    int              // that acknowledged something new
	got     int              // datagrams that arrived
	lost    int              // datagrams that did not

	quiet   uint8 // round trips in a row without a queue
	lossy   uint8 // round trips in a row with much loss
	startup bool
	rest    bool // the window has just shrunk; what it does shows after another round trip
	blocked bool // something waited for the rate in this round trip
}

// A quota is a second's worth of what a peer takes, or what is left of it.
type quota struct{ datagrams, bytes float64 }

const (
	minWindow     = 2 * maxSize
	initialWindow = 10 * maxSize // RFC 9002, 7.2
	minTarget     = 10 * time.Millisecond
	maxGap        = 25 * time.Millisecond
	muchLoss      = 0.05
	lossyRounds   = 3
	bestFades     = 0.98 // each round trip
	lossySample   = 10   // datagrams of a round trip that say something about loss
	lanesShare    = 9    // of nine tenths of what the server takes: the tenth that is the lanes'
)

func (p *pace) begin() {
	*p = pace{
		floor: p.floor, ceiling: p.ceiling, datagrams: p.datagrams, window: initialWindow,
		tokens: initialWindow, spare: initialWindow, slots: p.burst(), startup: true,
		quota: quota{p.datagrams, p.ceiling},
	}
	p.restart(0, 0)
}

func (p *pace) restart(now time.Duration, round uint64) {
	p.round, p.roundAt, p.lowest, p.last = round, now, never, [3]time.Duration{}
	p.bytes, p.acks, p.got, p.lost, p.blocked = 0, 0, 0, 0, false
}

// rate returns bytes a second: a quarter more than the window makes of them, so that the window is
// what binds a bulk transfer, and the rate what spreads it.
func (p *pace) rate(rtt time.Duration) float64 {
	if p.low != 0 {
		rtt = p.low
	}
	return min(max(1.25*p.window/rtt.Seconds(), p.floor), p.ceiling)
}

// burst returns how many datagrams may leave at once: a tick's worth, since it is the peer that counts
// them, and no queue on the way.
func (p *pace) burst() float64 { return max(2, p.datagrams*maxTick.Seconds()) }

// refill adds what has become free since the last call, up to a burst; the first burst is larger and
// is not refilled.
func (p *pace) refill(now, rtt time.Duration) {
	rate := p.rate(rtt)
	span := burst
	if p.starved != 0 && !p.startup {
		span = max(span, min(now-p.starved, maxTick))
	}
	if full := max(2*maxSize, rate*span.Seconds()); p.tokens < full {
		p.tokens = min(full, p.tokens+rate*(now-p.at).Seconds())
	}
	elapsed := (now - p.at).Seconds()
	most := min(max(initialWindow, rate*maxTick.Seconds()), p.ceiling*maxTick.Seconds())
	p.spare = min(most, p.spare+max(0, rate-p.kept())*elapsed)
	p.slots = min(p.burst(), p.slots+p.datagrams*elapsed)
	p.quota.datagrams = min(p.datagrams, p.quota.datagrams+p.datagrams*elapsed)
	p.quota.bytes = min(p.ceiling, p.quota.bytes+p.ceiling*elapsed)
	p.at = now
}

// spend takes a datagram of FRAMES with a body of n bytes, which are nothing but an ACK if alone.
func (p *pace) spend(now, rtt time.Duration, n int, alone bool) {
	p.refill(now, rtt)
	if alone {
		p.takeSpare(rtt, n)
	} else {
		p.tokens -= float64(n + overhead)
	}
	p.takeSlots(n)
	if p.datagrams != 0 {
		p.share = after(now, lanesShare*p.slotsOf(n)/p.datagrams)
	}
}

// slotsOf returns how many slots a datagram with a body of n bytes takes: a slot is a datagram, and its
// part of the bytes that the peer takes.
func (p *pace) slotsOf(n int) float64 { return max(1, float64(n)*p.datagrams/p.ceiling) }

// takeSlots counts a datagram that leaves with a body of n bytes. What is owed for those without a slot
// is never more than a second's worth.
func (p *pace) takeSlots(n int) { p.slots = max(p.slots-p.slotsOf(n), min(p.slots, -p.datagrams)) }

// takeSpare takes the bytes of what leaves whatever the rate is: what the rate has above what is kept
// for FRAMES, or none of those would leave for as long as the others alone are more than the rate.
func (p *pace) takeSpare(rtt time.Duration, n int) {
	taken := min(float64(n+overhead), p.spare)
	p.spare -= taken
	p.tokens = max(p.tokens-taken, min(p.tokens, -p.rate(rtt)))
}

// kept returns how many bytes a second are left to FRAMES, whatever other kinds take: the floor, or
// what they have besides the ceiling.
func (p *pace) kept() float64 { return min(p.floor, p.ceiling/lanesShare) }

// charge is spend for a datagram of another kind.
func (p *pace) charge(now, rtt time.Duration, n int) {
	p.refill(now, rtt)
	p.takeSpare(rtt, n)
	p.takeSlots(n)
	p.quota = quota{max(0, p.quota.datagrams-1), max(0, p.quota.bytes-float64(n))}
}

// may reports whether a datagram may leave with so many bytes under way, if it has a slot.
func (p *pace) may(now, rtt time.Duration, bytes int, urgent bool) bool {
	return p.roomAt(now, rtt, bytes, urgent) <= now
}

// limit returns how many bytes may be under way.
func (p *pace) limit(rtt time.Duration) float64 {
	return max(p.window, p.floor*rtt.Seconds(), minWindow)
}

// ready returns when the next datagram may leave, and never if only an acknowledgement helps.
func (p *pace) ready(now, rtt time.Duration, bytes int, urgent bool) time.Duration {
	return max(p.roomAt(now, rtt, bytes, urgent), p.slotAt(now, rtt))
}

// slotAt returns when the next datagram has a slot: as those of other kinds leave one, but in any case
// when the lanes' share of them is due.
func (p *pace) slotAt(now, rtt time.Duration) time.Duration {
	if p.datagrams == 0 {
		return now
	}
	p.refill(now, rtt)
	return min(after(now, (1-p.slots)/p.datagrams), max(now, p.share))
}

// roomAt returns when the bytes of the next datagram may leave. An urgent one does not wait for the
// bulk before it, up to half a window.
func (p *pace) roomAt(now, rtt time.Duration, bytes int, urgent bool) time.Duration {
	limit, debt := p.limit(rtt), 0.0
	if urgent {
		limit, debt = 1.5*limit, 2*maxSize
	}
	if float64(bytes) >= limit {
		return never
	}
	p.refill(now, rtt)
	if p.tokens > -debt {
		return now
	}
	return after(now, (1-debt-p.tokens)/p.rate(rtt))
}

// after returns the time some seconds after now, rounded up, and now for none or fewer.
func after(now time.Duration, seconds float64) time.Duration {
	if seconds <= 0 {
		return now
	}
	return now + time.Duration(seconds*1e9) + 1
}

// sample takes an RTT without the peer's delay.
func (p *pace) sample(rtt time.Duration) {
	p.lowest = min(p.lowest, rtt)
	p.last[0], p.last[1], p.last[2] = p.last[1], p.last[2], rtt
}

// acked takes that n bytes up to seq have been acknowledged and reports whether that ends a round
// trip.
func (p *pace) acked(now time.Duration, f *flight, r *rtt, seq uint64, n int) bool {
	p.bytes += n
	p.acks++
	queue := min(p.last[0], p.last[1], p.last[2]) - r.base()
	if p.startup && p.blocked && p.last[0] != 0 && queue > target(r)/2 {
		p.startup, p.rest = false, true
		p.window = min(p.window, p.arriving(now)*(r.base()+target(r)/2+p.gap(now)).Seconds())
		p.slowAt = now
	}
	if seq < p.round {
		return false
	}
	if p.round != 0 && p.lowest != never {
		p.update(now, r)
		p.low = p.lowest
	}
	p.restart(now, f.next)
	return true
}

// target returns the queueing delay to aim at.
func target(r *rtt) time.Duration { return max(minTarget, r.base()/4) }

// arriving returns how many bytes a second have arrived in this round trip.
func (p *pace) arriving(now time.Duration) float64 {
	return float64(p.bytes) / max(now-p.roundAt, time.Millisecond).Seconds()
}

// gap returns the time between acknowledgements: what has arrived waits so long for its own, and counts
// as under way.
func (p *pace) gap(now time.Duration) time.Duration {
	return min((now-p.roundAt)/time.Duration(max(p.acks, 1)), maxGap)
}

// update adapts the window at the end of a round trip.
func (p *pace) update(now time.Duration, r *rtt) {
	base, target := r.base(), target(r)
	queue := p.lowest - base
	if p.got+p.lost >= lossySample && float64(p.lost) > muchLoss*float64(p.got+p.lost) {
		p.lossy = min(p.lossy+1, lossyRounds)
	} else {
		p.lossy = 0
	}
	if queue < target/2 {
		p.quiet = min(p.quiet+1, 100)
	} else {
		p.quiet = 0
	}
	arriving, gap := p.arriving(now), p.gap(now)
	p.best = max(arriving, p.best*bestFades)
	grown := p.window + maxSize*float64(1+p.quiet/4)
	if p.startup {
		grown = 2 * p.window
	}
	switch {
	case p.slowed != 0:
		p.window, p.slowed, p.rest = p.slowed, 0, true
	case p.rest:
		p.rest = false
	case !p.startup && queue > target:
		p.window = min(p.window, max(p.window/2, arriving*(base+target/2+gap).Seconds(), p.window*(base+target/2+gap).Seconds()/(p.lowest+gap).Seconds()))
		p.rest = true
	case p.blocked && p.lossy == lossyRounds:
		p.window = min(grown, max(initialWindow, 1.25*p.best*(base+target+gap).Seconds()))
	case p.blocked:
		p.window = grown
	}
	if p.blocked && !p.startup && !p.rest && now >= p.slowAt {
		p.slowed, p.slowAt = p.window, now+baseLife
		p.window /= 2
	}
	p.window = min(max(p.window, minWindow, p.floor*base.Seconds()), p.ceiling*(base+target+gap).Seconds())
}

// Rate returns at how many bytes a second messages leave at most, link bytes included.
func (e *Endpoint) Rate() int { return int(e.pace.rate(e.rtt.smoothed())) }
