package behaviour

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
	"github.com/sallyport/sallyport/policy"
)

// epoch is where synctest's clock starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// standard has the defaults.
var standard, _ = policy.BehaviourConfig{}.WithDefaults()

const minWindow = slots * time.Millisecond

func limits(t testing.TB, c policy.BehaviourConfig) *Limits {
	t.Helper()
	l, err := NewLimits(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func started(l *Limits) *Behaviour {
	b := new(Behaviour)
	b.Start(l, epoch)
	return b
}

// tally counts verdicts.
type tally [policy.VerdictRevoke + 1]int

// lots is a configuration whose buckets never run dry.
var lots = policy.BehaviourConfig{Datagrams: bucket.MaxRate, DatagramBurst: bucket.MaxBurst, Bytes: bucket.MaxRate, ByteBurst: bucket.MaxBurst}

// It has 120 bytes
func TestBehaviourIsSmall(t *testing.T) {
	if got := reflect.TypeFor[Behaviour]().Size(); got != 120 {
		t.Errorf("%d bytes", got)
	}
}

// The highest threshold is maxChanges, and the shortest Window makes a slot 1 ms.
func TestBounds(t *testing.T) {
	limits(t, policy.BehaviourConfig{Revoke: maxChanges, Window: minWindow})
	for _, c := range []policy.BehaviourConfig{{Revoke: maxChanges + 1}, {Window: minWindow - 1}} {
		if l, err := NewLimits(c); l != nil || !errors.Is(err, policy.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// More than Flag state changes within a Window are recorded, more than Limit have the datagram dropped, and more than
// Revoke end the session: in one datagram, and in datagrams of one change each.
func TestThresholds(t *testing.T) {
	config := lots
	config.Flag, config.Limit, config.Revoke = 50, 70, 90
	c := limits(t, config)
	for _, want := range []struct {
		changes int
		last    policy.Verdict
	}{
		{-1, policy.VerdictAllow},
		{0, policy.VerdictAllow},
		{49, policy.VerdictAllow},
		{50, policy.VerdictAllow},
		{51, policy.VerdictFlag},
		{69, policy.VerdictFlag},
		{70, policy.VerdictFlag},
		{71, policy.VerdictLimit},
		{89, policy.VerdictLimit},
		{90, policy.VerdictLimit},
		{91, policy.VerdictRevoke},
		{math.MaxInt, policy.VerdictRevoke},
	} {
		if got := started(c).Observe(epoch, 1, want.changes); got != want.last {
			t.Errorf("%d changes at once: %v, want %v", want.changes, got, want.last)
		}
		b, last := started(c), want.last
		for range min(want.changes, 1000) - 1 {
			b.Observe(epoch, 1, 1)
		}
		if want.changes > 51 && last == policy.VerdictFlag {
			last = policy.VerdictAllow // the flag was given at 51
		}
		if got := b.Observe(epoch, 1, min(want.changes, 1)); got != last {
			t.Errorf("%d changes one by one: %v, want %v", want.changes, got, last)
		}
	}
}

// "Negative numbers count as zero, bytes above 65,535 and a cost above any threshold as the largest."
func TestObserveExtremes(t *testing.T) {
	const largest = int(^uint(0) >> 1)
	c := limits(t, policy.BehaviourConfig{Flag: maxChanges, Limit: maxChanges, Revoke: maxChanges})
	b := started(c)
	for range 100 {
		if got := b.Observe(epoch, -largest-1, -largest-1); got != policy.VerdictAllow {
			t.Fatalf("negative: %v", got)
		}
	}
	if got := b.Observe(epoch, 1, maxChanges); got != policy.VerdictAllow {
		t.Errorf("as many as the highest threshold: %v", got)
	}
	for i := range 1000 {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if got := b.Observe(now, largest, largest); got != policy.VerdictRevoke {
			t.Fatalf("%d: %v", i, got)
		}
	}
	if got := b.Observe(epoch.Add(time.Hour), 1, 1); got != policy.VerdictAllow {
		t.Errorf("an hour later: %v", got)
	}
	b = started(limits(t, policy.BehaviourConfig{ByteBurst: maxPayload}))
	if got := b.Observe(epoch, largest, 0); got != policy.VerdictAllow {
		t.Errorf("the longest datagram: %v", got)
	}
}

// "Bytes and ByteBurst bound the payload", A datagram that is dropped takes nothing from the two buckets.
func TestBudgets(t *testing.T) {
	c := limits(t, policy.BehaviourConfig{Datagrams: 10, DatagramBurst: 5, Bytes: 1000, ByteBurst: 500})
	for _, k := range []struct{ datagrams, bytes, allowed int }{
		{4, 1, 4},
		{5, 1, 5},
		{6, 1, 5},
		{5, 100, 5},
		{5, 101, 4},
		{1, 499, 1},
		{1, 500, 1},
		{1, 501, 0},
		{5, 0, 5},
	} {
		b, got := started(c), tally{}
		for range k.datagrams {
			got[b.Observe(epoch, k.bytes, 0)]++
		}
		if got != (tally{policy.VerdictAllow: k.allowed, policy.VerdictLimit: k.datagrams - k.allowed}) {
			t.Errorf("%d of %d bytes: %v, want %d allowed", k.datagrams, k.bytes, got, k.allowed)
		}
	}
	b := started(c)
	for range 10 {
		b.Observe(epoch, 501, 0) // too long, ten times
	}
	if got := b.Observe(epoch, 500, 0); got != policy.VerdictAllow {
		t.Errorf("dropped datagrams have taken tokens: %v", got)
	}
	if got := b.Observe(epoch, -100, 0); got != policy.VerdictAllow {
		t.Errorf("negative bytes: %v", got)
	}
	if got := b.Observe(epoch.Add(100*time.Millisecond-1), 100, 0); got != policy.VerdictLimit {
		t.Errorf("1 ns before 100 bytes are there: %v", got)
	}
	if got := b.Observe(epoch.Add(100*time.Millisecond), 100, 0); got != policy.VerdictAllow {
		t.Errorf("when 100 bytes are there: %v", got)
	}
}

// "VerdictFlag: allowed, to be recorded: the first above Flag since it was last calm", "once until the count is back at
// half of Flag".
func TestFlagOnce(t *testing.T) {
	b, now := started(limits(t, lots)), epoch
	send := func(perSecond int, d time.Duration) (got tally) {
		for range int(d.Seconds() * float64(perSecond)) {
			now = now.Add(time.Second / time.Duration(perSecond))
			got[b.Observe(now, 1, 1)]++
		}
		return got
	}
	for _, k := range []struct {
		perSecond int
		d         time.Duration
		flags     int
	}{
		{60, 10 * time.Second, 0},
		{300, 10 * time.Second, 1},
		{200, 10 * time.Second, 0},
		{300, 10 * time.Second, 0},
		{140, 10 * time.Second, 0},
		{300, 10 * time.Second, 0},
		{128, 2 * time.Second, 0},
		{300, 10 * time.Second, 1},
	} {
		if got := send(k.perSecond, k.d); got[policy.VerdictFlag] != k.flags || got[policy.VerdictLimit]+got[policy.VerdictRevoke] != 0 {
			t.Errorf("%d a second: %v, want %d flags", k.perSecond, got, k.flags)
		}
	}
}

// "With any other limits no datagram passes": what NewLimits has not made fails closed, and does not panic.
func TestBehaviourWithoutDefaults(t *testing.T) {
	for _, c := range []*Limits{{}, {BehaviourConfig: policy.BehaviourConfig{Flag: 10, Limit: 10, Revoke: 10, Window: time.Second}}} {
		b := started(c)
		for i := range 100 {
			if got := b.Observe(epoch.Add(time.Duration(i)*time.Second), 1, i%2); got < policy.VerdictLimit {
				t.Errorf("%+v: %v", c, got)
			}
		}
	}
}

// A datagram costs its session no more than 25 ns (the budget of one check among ten).
func BenchmarkObserve(b *testing.B) {
	s, now := started(limits(b, policy.BehaviourConfig{})), epoch
	for b.Loop() {
		now = now.Add(time.Second / 60)
		s.Observe(now, 100, 1)
	}
}

// BenchmarkObserveFlood is a bot at 2,000 a second, most of whose datagrams are dropped.
func BenchmarkObserveFlood(b *testing.B) {
	s, now := started(limits(b, policy.BehaviourConfig{Revoke: maxChanges})), epoch
	for b.Loop() {
		now = now.Add(time.Second / 2000)
		s.Observe(now, 100, 1)
	}
}

func TestNoAllocs(t *testing.T) {
	b, now := started(limits(t, policy.BehaviourConfig{})), epoch
	if n := testing.AllocsPerRun(1000, func() { now = now.Add(time.Millisecond); b.Observe(now, 100, 1) }); n != 0 {
		t.Errorf("Observe: %v allocations", n)
	}
}
