package policy

import (
	"errors"
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/sallyport/sallyport/internal/bucket"
)

// epoch is where synctest's clock starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func behaviour(t testing.TB, c BehaviourConfig) *BehaviourConfig {
	t.Helper()
	c, err := c.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func started(c *BehaviourConfig) *Behaviour {
	b := new(Behaviour)
	b.Start(c, epoch)
	return b
}

// tally counts verdicts.
type tally [VerdictRevoke + 1]int

// lots is a configuration whose buckets never run dry.
var lots = BehaviourConfig{Datagrams: bucket.MaxRate, DatagramBurst: bucket.MaxBurst, Bytes: bucket.MaxRate, ByteBurst: bucket.MaxBurst}

// It has 120 bytes
func TestBehaviourIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(Behaviour{}); got != 120 {
		t.Errorf("%d bytes", got)
	}
}

// Every default stands in limits.go, thresholds are 1 to 16,777,216, "16 ms to 1 minute"
func TestBehaviourConfig(t *testing.T) {
	got := behaviour(t, BehaviourConfig{})
	if got.Datagrams != 256 || got.DatagramBurst != 512 || got.Bytes != 256<<10 || got.ByteBurst != 512<<10 ||
		got.Flag != 256 || got.Limit != 400 || got.Revoke != 480 || got.Window != time.Second {
		t.Errorf("defaults: %+v", got)
	}
	if again := behaviour(t, *got); *again != *got {
		t.Errorf("defaults of defaults: %+v", again)
	}
	for name, c := range map[string]BehaviourConfig{
		"datagrams":       {Datagrams: -1},
		"datagrams above": {Datagrams: bucket.MaxRate + 1},
		"burst":           {DatagramBurst: -1},
		"burst above":     {DatagramBurst: bucket.MaxBurst + 1},
		"bytes":           {Bytes: -1},
		"bytes above":     {Bytes: bucket.MaxRate + 1},
		"byte burst":      {ByteBurst: -1},
		"byte burst more": {ByteBurst: bucket.MaxBurst + 1},
		"flag":            {Flag: -1},
		"flag, limit":     {Flag: 401},
		"limit":           {Limit: -1},
		"limit, revoke":   {Limit: 481},
		"revoke":          {Revoke: 399},
		"revoke above":    {Revoke: maxChanges + 1},
		"window":          {Window: minWindow - 1},
		"window above":    {Window: maxWindow + 1},
	} {
		if _, err := c.WithDefaults(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []BehaviourConfig{
		lots,
		{Datagrams: 1, DatagramBurst: 1, Bytes: 1, ByteBurst: 1, Flag: 1, Limit: 1, Revoke: 1, Window: minWindow},
		{Flag: 400, Limit: 400, Revoke: 400, Window: maxWindow},
		{Revoke: maxChanges},
	} {
		behaviour(t, c)
	}
}

// More than Flag state changes within a Window are recorded, more than Limit have the datagram dropped, and more than
// Revoke end the session: in one datagram, and in datagrams of one change each.
func TestThresholds(t *testing.T) {
	config := lots
	config.Flag, config.Limit, config.Revoke = 50, 70, 90
	c := behaviour(t, config)
	for _, want := range []struct {
		changes int
		last    Verdict
	}{
		{-1, VerdictAllow},
		{0, VerdictAllow},
		{49, VerdictAllow},
		{50, VerdictAllow},
		{51, VerdictFlag},
		{69, VerdictFlag},
		{70, VerdictFlag},
		{71, VerdictLimit},
		{89, VerdictLimit},
		{90, VerdictLimit},
		{91, VerdictRevoke},
		{math.MaxInt, VerdictRevoke},
	} {
		if got := started(c).Observe(epoch, 1, want.changes); got != want.last {
			t.Errorf("%d changes at once: %v, want %v", want.changes, got, want.last)
		}
		b, last := started(c), want.last
		for range min(want.changes, 1000) - 1 {
			b.Observe(epoch, 1, 1)
		}
		if want.changes > 51 && last == VerdictFlag {
			last = VerdictAllow // the flag was given at 51
		}
		if got := b.Observe(epoch, 1, min(want.changes, 1)); got != last {
			t.Errorf("%d changes one by one: %v, want %v", want.changes, got, last)
		}
	}
}

// "Negative numbers count as zero, bytes above 65,535 and a cost above any threshold as the largest."
func TestObserveExtremes(t *testing.T) {
	const largest = int(^uint(0) >> 1)
	c := behaviour(t, BehaviourConfig{Flag: maxChanges, Limit: maxChanges, Revoke: maxChanges})
	b := started(c)
	for range 100 {
		if got := b.Observe(epoch, -largest-1, -largest-1); got != VerdictAllow {
			t.Fatalf("negative: %v", got)
		}
	}
	if got := b.Observe(epoch, 1, maxChanges); got != VerdictAllow {
		t.Errorf("as many as the highest threshold: %v", got)
	}
	for i := range 1000 {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if got := b.Observe(now, largest, largest); got != VerdictRevoke {
			t.Fatalf("%d: %v", i, got)
		}
	}
	if got := b.Observe(epoch.Add(time.Hour), 1, 1); got != VerdictAllow {
		t.Errorf("an hour later: %v", got)
	}
	b = started(behaviour(t, BehaviourConfig{ByteBurst: maxPayload}))
	if got := b.Observe(epoch, largest, 0); got != VerdictAllow {
		t.Errorf("the longest datagram: %v", got)
	}
}

// "Bytes and ByteBurst bound the payload", A datagram that is dropped takes nothing from the two buckets.
func TestBudgets(t *testing.T) {
	c := behaviour(t, BehaviourConfig{Datagrams: 10, DatagramBurst: 5, Bytes: 1000, ByteBurst: 500})
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
		if got != (tally{VerdictAllow: k.allowed, VerdictLimit: k.datagrams - k.allowed}) {
			t.Errorf("%d of %d bytes: %v, want %d allowed", k.datagrams, k.bytes, got, k.allowed)
		}
	}
	b := started(c)
	for range 10 {
		b.Observe(epoch, 501, 0) // too long, ten times
	}
	if got := b.Observe(epoch, 500, 0); got != VerdictAllow {
		t.Errorf("dropped datagrams have taken tokens: %v", got)
	}
	if got := b.Observe(epoch, -100, 0); got != VerdictAllow {
		t.Errorf("negative bytes: %v", got)
	}
	if got := b.Observe(epoch.Add(100*time.Millisecond-1), 100, 0); got != VerdictLimit {
		t.Errorf("1 ns before 100 bytes are there: %v", got)
	}
	if got := b.Observe(epoch.Add(100*time.Millisecond), 100, 0); got != VerdictAllow {
		t.Errorf("when 100 bytes are there: %v", got)
	}
}

// "VerdictFlag: allowed, to be recorded: the first above Flag since it was last calm", "once until the count is back at
// half of Flag".
func TestFlagOnce(t *testing.T) {
	b, now := started(behaviour(t, lots)), epoch
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
		if got := send(k.perSecond, k.d); got[VerdictFlag] != k.flags || got[VerdictLimit]+got[VerdictRevoke] != 0 {
			t.Errorf("%d a second: %v, want %d flags", k.perSecond, got, k.flags)
		}
	}
}

// With any other no datagram passes: a configuration without WithDefaults fails closed, and does not panic.
func TestBehaviourWithoutDefaults(t *testing.T) {
	for _, c := range []*BehaviourConfig{{}, {Flag: 10, Limit: 10, Revoke: 10, Window: time.Second}} {
		b := started(c)
		for i := range 100 {
			if got := b.Observe(epoch.Add(time.Duration(i)*time.Second), 1, i%2); got < VerdictLimit {
				t.Errorf("%+v: %v", c, got)
			}
		}
	}
}

// A datagram costs its session no more than 25 ns (the budget of one check among ten).
func BenchmarkObserve(b *testing.B) {
	s, now := started(behaviour(b, BehaviourConfig{})), epoch
	for b.Loop() {
		now = now.Add(time.Second / 60)
		s.Observe(now, 100, 1)
	}
}

// BenchmarkObserveFlood is a bot at 2,000 a second, most of whose datagrams are dropped.
func BenchmarkObserveFlood(b *testing.B) {
	s, now := started(behaviour(b, BehaviourConfig{Revoke: maxChanges})), epoch
	for b.Loop() {
		now = now.Add(time.Second / 2000)
		s.Observe(now, 100, 1)
	}
}
