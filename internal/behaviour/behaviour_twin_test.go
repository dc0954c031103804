package behaviour

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/policy"
)

// slowBehaviour remembers every datagram of the last two Windows, and counts tokens as textbooks do.
type slowBehaviour struct {
	config policy.BehaviourConfig
	seen   []change
	start  time.Time // where slots are counted from
	slot   int64     // the newest
	d, y   slowTokens

	usual, credit int64 // in units
	flagged       bool
}

type change struct {
	at   time.Time
	slot int64
	cost int
}

// slowTokens is a bucket that counts ns.
type slowTokens struct {
	ns, interval, burst int64
	last                time.Time
}

func newSlowTokens(perSecond, burst int) slowTokens {
	interval := int64(time.Second) / int64(perSecond)
	return slowTokens{ns: interval * int64(burst), interval: interval, burst: int64(burst), last: epoch}
}

func (s *slowTokens) settle(now time.Time) {
	s.ns = max(min(s.ns+now.Sub(s.last).Nanoseconds(), s.burst*s.interval), 0)
	s.last = now
}

func newSlow(c policy.BehaviourConfig) *slowBehaviour {
	return &slowBehaviour{config: c, start: epoch, d: newSlowTokens(c.Datagrams, c.DatagramBurst), y: newSlowTokens(c.Bytes, c.ByteBurst)}
}

func (s *slowBehaviour) observe(now time.Time, bytes, cost int) policy.Verdict {
	length := (s.config.Window / slots).Nanoseconds()
	slot, rest := s.slot, int64(0)
	if since := now.Sub(s.start.Add(time.Duration(s.slot * length))).Nanoseconds(); since < -length {
		s.seen, s.start, slot = nil, now, 0
	} else if since >= slots*length {
		s.start, slot = now, s.slot+slots // the same as going on, but slots begin with this datagram
		s.start = now.Add(-time.Duration(slot * length))
		rest = since / length
	} else if since >= length {
		slot += since / length
	}
	for s.slot < slot {
		s.slot++
		s.next()
	}
	if s.slot = slot; rest > 0 {
		s.earn(min(rest, s.longest())*(s.stated()/slots) - s.usual)
	}
	s.seen = slices.DeleteFunc(s.seen, func(c change) bool { return c.slot < slot-2*slots })
	s.seen = append(s.seen, change{now, slot, min(max(cost, 0), maxChanges+1)})
	n := 0
	for _, c := range s.seen {
		if c.slot > slot-slots {
			n += c.cost
		}
	}
	return s.verdict(now, bytes, n)
}

// between counts what came in the slots after one and up to another.
func (s *slowBehaviour) between(after, upTo int64) (n int64) {
	for _, c := range s.seen {
		if c.slot > after && c.slot <= upTo {
			n += int64(c.cost)
		}
	}
	return n * unit
}

// longest is "maxSilence", in slots.
func (s *slowBehaviour) longest() int64 {
	return (10 * time.Second).Nanoseconds() / (s.config.Window / slots).Nanoseconds()
}

// stated is the stated rate: Datagrams in a Window, or Flag if that is more, but not more than Limit.
func (s *slowBehaviour) stated() int64 {
	n := int64(s.config.Datagrams) * s.config.Window.Nanoseconds() / time.Second.Nanoseconds()
	return min(max(n, int64(s.config.Flag)), int64(s.config.Limit)) * unit
}

func (s *slowBehaviour) earn(n int64) {
	s.credit = max(min(s.credit+n, s.longest()*(s.stated()/slots)), 0)
}

// next begins the newest slot: the one before is over, and the one a Window before leaves.
func (s *slowBehaviour) next() {
	last := s.between(s.slot-1-slots, s.slot-1)
	if last-s.credit > s.usual {
		s.usual = min(last-s.credit, s.stated())
	} else if last < s.usual {
		s.usual -= (s.usual - last) / 8192
	}
	share := max(s.usual-2*unit, 0) / slots
	if s.usual >= s.stated()-s.stated()/4 {
		share = s.stated() / slots
	}
	s.earn(max(share-s.between(s.slot-2, s.slot-1), 0))
	s.credit -= max(s.credit-s.usual/slots*s.longest(), 0) / 256
	if s.credit > s.usual/slots*s.longest() {
		share = s.stated() / slots
	}
	s.earn(-max(s.between(s.slot-1-slots, s.slot-slots)-share, 0))
}

func (s *slowBehaviour) verdict(now time.Time, bytes, n int) policy.Verdict {
	if int64(n) > int64(s.config.Revoke)+s.credit/unit {
		return policy.VerdictRevoke
	}
	if n > s.config.Limit {
		return policy.VerdictLimit
	}
	s.d.settle(now)
	s.y.settle(now)
	need := int64(min(max(bytes, 0), maxPayload)) * s.y.interval
	if s.d.ns < s.d.interval || s.y.ns < need {
		return policy.VerdictLimit
	}
	s.d.ns -= s.d.interval
	s.y.ns -= need
	if n > s.config.Flag && !s.flagged {
		s.flagged = true
		return policy.VerdictFlag
	}
	if n <= s.config.Flag/2 {
		s.flagged = false
	}
	return policy.VerdictAllow
}

// within is the true count of the last d.
func (s *slowBehaviour) within(now time.Time, d time.Duration) (n int) {
	for _, c := range s.seen {
		if c.at.After(now.Add(-d)) {
			n += c.cost
		}
	}
	return n
}

// Compare gives one datagram to both and holds them to each other and to the promise of the type's comment: the count
// is never above what the last Window saw, and never below what the last 15/16 of it saw.
func compare(t *testing.T, fast *Behaviour, slow *slowBehaviour, now time.Time, bytes, cost int, stepped bool) policy.Verdict {
	t.Helper()
	got, want := fast.Observe(now, bytes, cost), slow.observe(now, bytes, cost)
	if got != want {
		t.Fatalf("%v, want %v: at %v, %d bytes, %d changes, sum %d", got, want, now, bytes, cost, fast.sum)
	}
	if fast.usual != slow.usual || fast.credit != slow.credit {
		t.Fatalf("usual %d, credit %d; want %d, %d", fast.usual, fast.credit, slow.usual, slow.credit)
	}
	window := slow.config.Window
	most, least := slow.within(now, window), slow.within(now, window-window/slots)
	if n := int(fast.sum); !stepped && (n > most || n < min(least, maxChanges)) {
		t.Fatalf("%d counted, %d in the window, %d in 15/16 of it", n, most, least)
	}
	if int64(least) > int64(slow.config.Revoke)+fast.credit/unit && !stepped && got != policy.VerdictRevoke {
		t.Fatalf("%v with %d changes", got, least)
	}
	return got
}

// Sliding slots and buckets kept as instants answer as a list of all datagrams does.
func TestBehaviourAgainstTwin(t *testing.T) {
	r, seen, rounds := rand.New(rand.NewPCG(3, 4)), tally{}, 150
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		flag := 1 + r.IntN(100)
		limit := flag + r.IntN(100)
		c := limits(t, policy.BehaviourConfig{
			Datagrams: 1 + r.IntN(500), DatagramBurst: 1 + r.IntN(100), Bytes: 1 + r.IntN(50_000), ByteBurst: 1000 + r.IntN(10_000),
			Flag: flag, Limit: limit, Revoke: limit + r.IntN(100), Window: minWindow + time.Duration(r.Int64N(int64(2*time.Second))),
		})
		fast, slow, now := started(c), newSlow(c.BehaviourConfig), epoch
		pace := 1 + r.Int64N(int64(20*time.Millisecond))
		for range 600 {
			switch r.IntN(30) {
			case 0:
				now = now.Add(time.Duration(r.Int64N(int64(2 * c.Window)))) // a pause
			case 1, 2, 3, 4, 5, 6, 7, 8: // at once
			default:
				now = now.Add(time.Duration(r.Int64N(pace)))
			}
			cost := r.IntN(4) - 1
			if r.IntN(50) == 0 {
				cost = r.IntN(200)
			}
			seen[compare(t, fast, slow, now, r.IntN(300), cost, false)]++
		}
	}
	for v, n := range seen {
		if n < 2*rounds {
			t.Errorf("only %d times %v", n, policy.Verdict(v))
		}
	}
}

// FuzzBehaviour reads its input as datagrams: two bytes of time (the first a sign and a scale), one of payload, one of
// state changes.
func FuzzBehaviour(f *testing.F) {
	f.Add([]byte{0, 0, 10, 1, 1, 5, 10, 1, 0x42, 200, 10, 9, 0x81, 3, 1, 1})
	f.Add([]byte{0x84, 1, 1, 80, 0x44, 1, 1, 80, 0x04, 62, 1, 80, 0x04, 63, 1, 80})
	l, err := NewLimits(policy.BehaviourConfig{Datagrams: 50, DatagramBurst: 20, Bytes: 4000, ByteBurst: 2000, Flag: 60, Limit: 80, Revoke: 120})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fast, slow, now, stepped := started(l), newSlow(l.BehaviourConfig), epoch, false
		b = b[:min(len(b), 2000)] // the twin looks at all there were, each time
		for ; len(b) >= 4; b = b[4:] {
			d := time.Duration(b[1]) * time.Microsecond << (b[0] & 15)
			if b[0]&0x80 != 0 {
				d, stepped = -d, true
			}
			now = now.Add(d)
			compare(t, fast, slow, now, int(b[2])*4, int(b[3])-20, stepped)
		}
	})
}
