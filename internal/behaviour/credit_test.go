package behaviour

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/policy"
)

// A path decides when the datagrams arrive that were sent at times: later, and by how much at most.
type path func(r *rand.Rand, times []time.Duration) []time.Duration

// longest is how long paths delay: with what a sender sends at once it is below maxSilence.
const longest = maxSilence - time.Second

// upTo is a random time below d.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// holds delivers nothing for up to longest, again and again, and then all of it at once.
func holds(r *rand.Rand, times []time.Duration) []time.Duration {
	most, pause := 100*time.Millisecond+upTo(r, longest), 10*time.Millisecond+upTo(r, 5*time.Second)
	for at := upTo(r, 5*time.Second); at < times[len(times)-1]; {
		length := upTo(r, most)
		times = stalled(times, at, length)
		at += length + upTo(r, pause)
	}
	return times
}

// drains holds likewise, and then delivers as fast as a slow line can.
func drains(r *rand.Rand, times []time.Duration) []time.Duration {
	sent, interval, free := slices.Clone(times), time.Second/time.Duration(300+r.IntN(3000)), time.Duration(0)
	for i, at := range holds(r, times) {
		free = min(max(free+interval, at), max(sent[i]+longest, free))
		times[i] = free
	}
	return times
}

// leaks holds a part of what is sent and lets the rest through.
func leaks(r *rand.Rand, times []time.Duration) []time.Duration {
	share, until, next := r.Float64(), time.Duration(0), 3*time.Second+upTo(r, 10*time.Second)
	for i, at := range times {
		if at > next {
			until = at + upTo(r, longest)
			next = until + upTo(r, 10*time.Second)
		}
		if at < until && r.Float64() > share {
			times[i] = until
		}
	}
	return times
}

// jitters delays each by a time of its own, and so reorders them.
func jitters(r *rand.Rand, times []time.Duration) []time.Duration {
	most := 1 + upTo(r, longest)
	for i := range times {
		times[i] += upTo(r, most)
	}
	return times
}

// queues delays each by a time of its own, in order.
func queues(r *rand.Rand, times []time.Duration) []time.Duration {
	times = jitters(r, times)
	for i := 1; i < len(times); i++ {
		times[i] = max(times[i], times[i-1])
	}
	return times
}

// trickles has too little room from time to time: a queue builds up, and then it is gone at once. That begins when the
// player's rate is known.
func trickles(r *rand.Rand, times []time.Duration) []time.Duration {
	usual := times[len(times)-1] / time.Duration(len(times))
	interval, free, next := time.Duration(0), time.Duration(0), 4*time.Second+upTo(r, 10*time.Second)
	for i, at := range times {
		if at > next {
			if interval == 0 {
				interval = usual + upTo(r, 10*usual)
			} else {
				interval = 0
			}
			next = at + upTo(r, 20*time.Second)
		}
		free = min(max(free+interval, at), at+longest)
		times[i] = free
		if interval == 0 {
			free = 0
		}
	}
	slices.Sort(times)
	return times
}

// "A server MUST NOT revoke a session whose client keeps to the rate that WELCOME states" PROTOCOL.md 4.10: whatever delays, stalls and bursts there are on the way, however
// often they come, and whether the sender is even or sends half a second's worth at once (but not both that and into a line that lasts for half a
// minute with too little room).
func TestHonestSenders(t *testing.T) {
	c, senders := limits(t, policy.BehaviourConfig{}), 200
	if testing.Short() {
		senders = 20
	}
	for name, p := range map[string]path{
		"holds": holds, "drains": drains, "leaks": leaks, "jitters": jitters, "queues": queues, "trickles": trickles,
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			for range senders {
				hz := 1 + r.IntN(standard.Datagrams)
				if r.IntN(3) == 0 {
					hz = standard.Datagrams
				}
				times := steady(hz, 2*time.Minute)
				if name != "trickles" && r.IntN(3) == 0 {
					for i, at := range times {
						times[i] = at.Truncate(time.Second / 2)
					}
				}
				times = p(r, times)
				slices.Sort(times)
				if got, at := play(c, times); got[policy.VerdictRevoke] != 0 {
					t.Errorf("%d Hz: revoked after %v: %v", hz, at, got)
				}
			}
		})
	}
}

// "A silence of s seconds, one or more, raises it by s times the stated rate, for at most 10 s." PROTOCOL.md 4.10: each
// bound at −1, 0 and +1.
func TestSilence(t *testing.T) {
	for silence, credit := range map[time.Duration]int{
		0:                                    0,
		500 * time.Millisecond:               0,
		time.Second - 1:                      0,
		time.Second:                          256,
		time.Second + 1:                      256,
		2 * time.Second:                      512,
		3500 * time.Millisecond:              896,
		9 * time.Second:                      2304,
		10*time.Second - time.Second/slots:   2544,
		10 * time.Second:                     2560,
		10*time.Second + time.Second/slots:   2560,
		time.Hour:                            2560,
		100 * 365 * 24 * time.Hour:           2560,
		10*time.Second - time.Second/slots/2: 2544,
	} {
		for _, extra := range []int{-1, 0, 1} {
			b := started(limits(t, policy.BehaviourConfig{}))
			b.Observe(epoch, 0, 0)
			got := b.Observe(epoch.Add(silence), 0, standard.Revoke+credit+extra)
			if want := extra > 0; got == policy.VerdictRevoke != want {
				t.Errorf("%d changes after %v: %v", standard.Revoke+credit+extra, silence, got)
			}
		}
	}
}

// "What exceeds the second line is dropped all the same" PROTOCOL.md 4.10: nothing more is
// delivered for a silence.
func TestSilenceDropsAsEver(t *testing.T) {
	b := started(limits(t, lots))
	got := tally{}
	for range 2000 {
		got[b.Observe(epoch.Add(10*time.Second), 0, 1)]++
	}
	if got[policy.VerdictAllow]+got[policy.VerdictFlag] != standard.Limit || got[policy.VerdictLimit] != 2000-standard.Limit {
		t.Errorf("%v", got)
	}
}

// "Steady play earns nothing" PROTOCOL.md 4.10: what it does is less than it takes to be out later than in 0.7 s.
func TestSteadyPlayEarnsNothing(t *testing.T) {
	c, r := limits(t, policy.BehaviourConfig{}), rand.New(rand.NewPCG(9, 10))
	for _, hz := range []int{10, 20, 30, 60, 64, 128, 180} {
		for _, jitter := range []time.Duration{1, 5 * time.Millisecond, 20 * time.Millisecond} {
			b := started(c)
			times := steady(hz, 20*time.Minute)
			for i := range times {
				times[i] += upTo(r, jitter)
			}
			slices.Sort(times)
			for _, at := range times {
				b.Observe(epoch.Add(at), 0, 1)
				if most := int64(80); b.credit/unit > most { // with which 800 a second are too many after 0.7 s
					t.Fatalf("%d Hz, jitter %v: %d changes of credit after %v", hz, jitter, b.credit/unit, at)
				}
			}
		}
	}
}

// "after a silence of 10 s or more, no later than 3,040 changes and 256 a second after it began" PROTOCOL.md 4.10, whether a
// bot pauses or plays at a lower rate to earn credit. "whoever pauses sends less on average than a client that stays just
// below the line": over its life it has never sent more than that.
func TestBotsThatPause(t *testing.T) {
	c, r := limits(t, policy.BehaviourConfig{}), rand.New(rand.NewPCG(11, 12))
	for range 300 {
		hz, pause, burst := 500+r.IntN(3000), upTo(r, 15*time.Second), 50*time.Millisecond+upTo(r, 5*time.Second)
		low := r.IntN(3) * r.IntN(130)
		b, sent, now := started(c), 0, time.Duration(0)
		for now < 10*time.Minute {
			if low > 0 {
				for end := now + pause; now < end; now += time.Second / time.Duration(low) {
					b.Observe(epoch.Add(now), 0, 1)
					sent++
				}
			} else {
				now += pause
			}
			begin := now
			revoked := false
			for n := 0; now < begin+burst && !revoked; now += time.Second / time.Duration(hz) {
				if b.Observe(epoch.Add(now), 0, 1) == policy.VerdictRevoke {
					revoked = true
				}
				n++
				sent++
				if most := 3040; n > most+int(now.Seconds()-begin.Seconds()+1)*standard.Datagrams {
					t.Fatalf("%d/s after %v: %d sent in one burst of %v", hz, pause, n, now-begin)
				}
			}
			if limit := float64(standard.Revoke) * (now.Seconds() + 2); float64(sent) > limit {
				t.Fatalf("%d/s for %v, pauses of %v at %d/s: %d sent in %v", hz, burst, pause, low, sent, now)
			}
			if revoked {
				break
			}
		}
	}
}
