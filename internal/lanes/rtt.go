package lanes

import "time"

// An rtt is an estimate of the time to the peer and back, as RFC 9002 section 5 has it.
type rtt struct {
	smooth, variance, latest time.Duration
	low, lowBefore           time.Duration // smallest samples of this life and of the one before
	lowSince                 time.Duration
}

// add takes a sample, of which the peer says that delay was spent before its answer.
func (r *rtt) add(now, sample, delay time.Duration) {
	if r.smooth == 0 {
		r.latest, r.smooth, r.variance = sample, sample, sample/2
		r.low, r.lowBefore, r.lowSince = sample, sample, now
		return
	}
	if now-r.lowSince >= baseLife {
		r.lowBefore, r.low, r.lowSince = r.low, sample, now
	}
	r.low = min(r.low, sample)
	if sample-delay >= r.base() {
		sample -= delay
	}
	r.latest = sample
	r.variance = (3*r.variance + (r.smooth - sample).Abs()) / 4
	r.smooth = (7*r.smooth + sample) / 8
}

// base returns the smallest sample of the last baseLife, or a little longer.
func (r *rtt) base() time.Duration { return min(r.low, r.lowBefore) }

func (r *rtt) smoothed() time.Duration {
	if r.smooth == 0 {
		return initialRTT
	}
	return r.smooth
}

// pto returns the time-out of a probe without the peer's delay.
func (r *rtt) pto() time.Duration {
	if r.smooth == 0 {
		return 2 * initialRTT
	}
	return r.smooth + max(4*r.variance, granularity)
}

// RTT returns the smoothed time to the peer and back, and its mean deviation; zero if unknown.
func (e *Endpoint) RTT() (smoothed, deviation time.Duration) { return e.rtt.smooth, e.rtt.variance }
