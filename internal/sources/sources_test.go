package sources

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
	"github.com/sallyport/sallyport/policy"
)

// epoch is where synctest's clock starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// standard has the defaults.
var standard, _ = policy.SourceConfig{}.WithDefaults()

// sourcesWith returns Sources for c, which is good.
func sourcesWith(c policy.SourceConfig) *Sources {
	c, err := c.WithDefaults()
	if err != nil {
		panic(err)
	}
	return New(c)
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// allow asks n times at once and returns how often the answer was yes.
func allow(s *Sources, now time.Time, from netip.Addr, n int) (allowed int) {
	for range n {
		if s.Allow(now, from) {
			allowed++
		}
	}
	return allowed
}

// "Zero means 20 and 40", "Zero means 65,536"
func TestSourceDefaults(t *testing.T) {
	s := sourcesWith(policy.SourceConfig{})
	if got := allow(s, epoch, ip("192.0.2.1"), 100); got != standard.Burst {
		t.Errorf("%d at once", got)
	}
	if got := allow(s, epoch.Add(time.Second), ip("192.0.2.1"), 100); got != standard.PerSecond {
		t.Errorf("%d a second later", got)
	}
	if got := len(s.table.sets) * ways; got != standard.MaxSources {
		t.Errorf("%d places", got)
	}
}

// "a bucket per IPv4 /24 and IPv6 /64"
func TestSourcesShareAPrefix(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		shared bool
	}{
		{"192.0.2.0", "192.0.2.255", true},
		{"192.0.2.255", "192.0.3.0", false},
		{"192.0.2.1", "::ffff:192.0.2.9", true},
		{"2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"192.0.2.1", "0:0:c0:2::1", false},
		{"0.0.0.0", "::", false},
		{"192.0.2.1", "::192.0.2.1", false}, // IPv4-compatible form of RFC 4291 2.5.5.1 is IPv6
	} {
		s := sourcesWith(policy.SourceConfig{Burst: 1})
		s.Allow(epoch, ip(c.a))
		if shared := !s.Allow(epoch, ip(c.b)); shared != c.shared {
			t.Errorf("%s and %s share a budget: %v, want %v", c.a, c.b, shared, c.shared)
		}
	}
}

// nth is an address in a /24 of its own.
func nth(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i)<<8|1)
	return netip.AddrFrom4(b)
}

// "So the memory ... [does] not depend on who sends", and a flood that exceeds it gains bursts, never a crash.
func TestSourcesAreBounded(t *testing.T) {
	for _, limit := range []int{1, ways - 1, ways, ways + 1, 1000} {
		s := sourcesWith(policy.SourceConfig{MaxSources: limit})
		want := max((limit+ways-1)/ways, 1) * ways
		for i := range 10_000 {
			if !s.Allow(epoch, nth(i)) {
				t.Fatalf("limit %d: a new prefix has no budget", limit)
			}
		}
		used := 0
		s.table.each(func(p *place) {
			if p.key != 0 {
				used++
			}
		})
		if used != want {
			t.Errorf("limit %d: %d places used, want %d", limit, used, want)
		}
	}
}

// "a new prefix takes the place whose bucket is closest to full, which is the one that loses least"
func TestSourcesDisplaceTheQuietest(t *testing.T) {
	s := sourcesWith(policy.SourceConfig{Burst: 2, MaxSources: ways})
	for i := range ways {
		allow(s, epoch, nth(i), 2) // spent
	}
	later := epoch.Add(time.Duration(standard.PerSecond) * time.Second)
	for i := range ways {
		if i != 3 {
			allow(s, later, nth(i), 2)
		}
	}
	s.Allow(later, nth(100))
	for i := range ways {
		if i != 3 && s.Allow(later, nth(i)) {
			t.Errorf("prefix %d has been forgotten", i)
		}
	}
}

// Sources forgets whoever has been quiet for one window and loses nothing by it.
func TestQuietSourcesLoseNothing(t *testing.T) {
	s := sourcesWith(policy.SourceConfig{MaxSources: 8 * ways})
	now := epoch
	for i := range 10_000 {
		now = now.Add(time.Duration(standard.Burst) * time.Second / time.Duration(standard.PerSecond))
		if got := allow(s, now, nth(i%20), 100); got != standard.Burst {
			t.Fatalf("round %d: %d allowed", i, got)
		}
	}
}

// "A step of the wall clock forward allows one burst, and one back empties the budgets at most."
func TestSourcesClockSteps(t *testing.T) {
	s := sourcesWith(policy.SourceConfig{})
	from := ip("192.0.2.1")
	s.Allow(epoch, from)
	back := epoch.Add(-time.Hour)
	if got := allow(s, back, from, 100); got > standard.Burst {
		t.Errorf("%d allowed after a step back", got)
	}
	if got := allow(s, back.Add(time.Second), from, 100); got != standard.PerSecond {
		t.Errorf("%d allowed a second later, want %d", got, standard.PerSecond)
	}
	if got := allow(s, back, ip("198.51.100.1"), 100); got != standard.Burst {
		t.Errorf("%d allowed for a new prefix", got)
	}
}

func TestNoAllocs(t *testing.T) {
	s, now, i := sourcesWith(policy.SourceConfig{MaxSources: 64}), epoch, 0
	for name, f := range map[string]func(){
		"Sources.Allow known": func() { s.Allow(now, nth(1)) },
		"Sources.Allow new":   func() { i++; s.Allow(now, nth(i)) },
		"Sources.Allow zone":  func() { s.Allow(now, linkLocal) },
		"NetworkPrefix":       func() { NetworkPrefix(linkLocal) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

var linkLocal = ip("fe80::1%eth0")

func BenchmarkSourcesKnown(b *testing.B) {
	s, now, from := sourcesWith(policy.SourceConfig{}), epoch, nth(1)
	for b.Loop() {
		now = now.Add(time.Millisecond)
		s.Allow(now, from)
	}
}

// BenchmarkSourcesFlood is each question from another prefix, with the table full.
func BenchmarkSourcesFlood(b *testing.B) {
	s, i := sourcesWith(policy.SourceConfig{}), 0
	for b.Loop() {
		i++
		s.Allow(epoch, nth(i))
	}
}

// "which hold at most so many claims all together, and take twice as many a second": whatever is claimed, renewed, given
// back and refunded, by many at once.
func TestStrangersAreFew(t *testing.T) {
	const most = 40
	config, err := policy.SourceConfig{PerSecond: bucket.MaxRate, Burst: bucket.MaxBurst, Unproven: 1 << 20}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := NewStrangers(config, most)
	var claims []*Claim
	for i := range 10 * most {
		if c := s.Claim(epoch, nth(i)); c != nil {
			claims = append(claims, c)
		}
	}
	if len(claims) != most || !s.Full() {
		t.Fatalf("%d claims of %d", len(claims), most)
	}
	claims[0].Refund()
	renewed := 0
	for range 10 * most {
		if c := claims[1].Renew(epoch); c != nil {
			claims[1] = c
			renewed++
		}
	}
	if want := most + 1; renewed != want { // one token was refunded, and most - 1 have been used
		t.Errorf("%d begin again, want %d", renewed, want)
	}
	for _, c := range claims {
		c.Release()
	}
	if s.Full() || s.Claim(epoch, nth(0)) != nil {
		t.Error("a released claim holds a place, or there are tokens left")
	}
	if n := s.crowd.held.Load(); n != 0 {
		t.Errorf("%d are still held", n)
	}
	later := epoch.Add(time.Second / 2)
	for i := range 10 * most {
		if c := s.Claim(later, nth(i)); c != nil {
			renewed++
			c.Release()
		}
	}
	if renewed -= most + 1; renewed != most {
		t.Errorf("%d in half a second, want %d", renewed, most)
	}
}
