package sources

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// "one ClientHello a second, and one handshake that has not returned its cookie"
func TestLiveAddressHasItsOwn(t *testing.T) {
	l, a := NewLiveAddresses(10, 100), ip("192.0.2.1")
	if l.Claim(epoch, a, false) != nil {
		t.Error("a stranger has something of its own")
	}
	l.Note(epoch, a)
	first := l.Claim(epoch, a, false)
	if first == nil {
		t.Fatal("a live address has nothing of its own")
	}
	if l.Claim(epoch.Add(5*time.Second), a, false) != nil {
		t.Error("two at once")
	}
	first.Release()
	if l.Claim(epoch.Add(time.Second-1), a, false) != nil {
		t.Error("two in a second")
	}
	if l.Claim(epoch.Add(time.Second), a, false) == nil {
		t.Error("none after a second")
	}
}

// "An address is that of an IPv4 host, whatever its port, or an IPv6 /64."
func TestLiveAddressKeys(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"::1", "::2", true},
		{"::1", "0.0.0.0", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		l := NewLiveAddresses(10, 100)
		l.Note(epoch, ip(c.a))
		if same := l.Claim(epoch, ip(c.b), false) != nil; same != c.same {
			t.Errorf("%s and %s are one address: %v, want %v", c.a, c.b, same, c.same)
		}
	}
}

// "or have lived in the last LatelyLive", which is noted once in a LiveInterval.
func TestLiveAddressLapses(t *testing.T) {
	l, a := NewLiveAddresses(10, 100), ip("2001:db8::1")
	l.Note(epoch, a)
	l.Note(epoch.Add(-time.Hour), a) // another shard's clock, or an old snapshot
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{LatelyLive - time.Second, true}, {LatelyLive + LiveInterval, true}, {LatelyLive + LiveInterval + time.Second, false}} {
		claim := l.Claim(epoch.Add(c.after), a, false)
		if (claim != nil) != c.want {
			t.Errorf("%v later: %v", c.after, claim != nil)
		}
		if claim != nil {
			claim.Release()
		}
		if n := len(maps.Collect(l.All(epoch.Add(c.after)))); (n == 1) != c.want {
			t.Errorf("%v later All has %d", c.after, n)
		}
	}
}

// In which a new one displaces the one that was noted longest ago, and never one that a handshake holds. There is
// room for all addresses of a full server, if no two are the same, whoever has left lately.
func TestLiveAddressesAreBounded(t *testing.T) {
	for _, sessions := range []int{-1, 0, 1, 7, 8, 1000, 10_000} {
		l := NewLiveAddresses(sessions, 100)
		places := len(l.table.sets) * ways
		if most := max(sessions, 1)*livePlaces/liveSessions + ways; places > most {
			t.Errorf("%d places for %d sessions", places, sessions)
		}
		for i := range 10 * places {
			l.Note(epoch, nth(1<<19+i)) // they have left
		}
		for i := range max(sessions, 1) {
			l.Note(epoch.Add(time.Minute), nth(i))
		}
		known, n := maps.Collect(l.All(epoch.Add(time.Minute))), 0
		for i := range max(sessions, 1) {
			if _, ok := known[nth(i)]; ok {
				n++
			}
		}
		if n < max(sessions, 1) {
			t.Errorf("%d of %d sessions' addresses are known", n, sessions)
		}
		for i := range 10 * places {
			l.Note(epoch.Add(2*time.Minute), nth(1<<20+i))
		}
		if n := len(maps.Collect(l.All(epoch.Add(2 * time.Minute)))); n > places {
			t.Errorf("%d addresses in %d places", n, places)
		}
	}
	l := NewLiveAddresses(1, 100)
	for i := range ways {
		l.Note(epoch, nth(i))
	}
	l.Note(epoch.Add(time.Second), nth(3))
	l.Claim(epoch, nth(5), false)
	for i := range ways - 2 {
		l.Note(epoch.Add(2*time.Second), nth(100+i))
	}
	known := maps.Collect(l.All(epoch.Add(2 * time.Second)))
	for _, i := range []int{3, 5} {
		if _, ok := known[nth(i)]; !ok {
			t.Errorf("address %d has been displaced: %v", i, known)
		}
	}
}

// All gives back what was noted.
func TestLiveAddressesAll(t *testing.T) {
	l, want := NewLiveAddresses(100, 100), map[netip.Addr]time.Time{}
	for i, a := range []string{"192.0.2.1", "255.255.255.255", "0.0.0.0", "2001:db8::", "fe80::", "::"} {
		at := time.Unix(epoch.Unix()+int64(i), 0)
		l.Note(at, ip(a))
		want[ip(a)] = at
	}
	if got := maps.Collect(l.All(epoch)); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Shards that note and claim at once give an address one handshake, however many ask.
func TestLiveAddressesAtOnce(t *testing.T) {
	l := NewLiveAddresses(1000, 100)
	claims := make([]atomic.Int64, 100)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range claims {
				l.Note(epoch, nth(i))
				for range 10 {
					if l.Claim(epoch, nth(i), false) != nil {
						claims[i].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range claims {
		if n := claims[i].Load(); n != 1 {
			t.Errorf("address %d has %d", i, n)
		}
	}
}
