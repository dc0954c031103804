package fingerprint

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/policy"
)

// other returns what differs from f in the part, and in nothing else.
func other(f Fingerprint, p Part) Fingerprint {
	switch p {
	case PartPlatform:
		f.Platform += "x"
	case PartBuild:
		f.Build += "x"
	case PartCertificate:
		f.Certificate[31]++
	case PartChannel:
		f.Channel[31]++
	case PartNetwork:
		f.Network = netip.MustParsePrefix("198.51.100.0/24")
	}
	return f
}

func client() Fingerprint {
	return Fingerprint{
		Platform: "linux", Build: "1.2", Certificate: [32]byte{1}, HasCertificate: true, Channel: [32]byte{2},
		Network: netip.MustParsePrefix("192.0.2.0/24"),
	}
}

func withDefaults(t testing.TB, c policy.FingerprintConfig) *policy.FingerprintConfig {
	t.Helper()
	c, err := c.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// "the first IPv4Bits or IPv6Bits of a, under the rules of sources.Prefix", by default as NetworkPrefix
func TestFingerprintPrefix(t *testing.T) {
	standard := withDefaults(t, policy.FingerprintConfig{})
	narrow := withDefaults(t, policy.FingerprintConfig{IPv4Bits: 32, IPv6Bits: 64})
	for _, c := range []struct{ addr, narrow string }{
		{"192.0.2.7", "192.0.2.7/32"},
		{"::ffff:192.0.2.7", "192.0.2.7/32"},
		{"2001:db8:1:2ff::1", "2001:db8:1:2ff::/64"},
		{"fe80::1%eth0", "fe80::/64"},
	} {
		a := netip.MustParseAddr(c.addr)
		if got := Prefix(standard, a); got != sources.NetworkPrefix(a) {
			t.Errorf("%v gives %v, want %v", a, got, sources.NetworkPrefix(a))
		}
		if got := Prefix(narrow, a).String(); got != c.narrow {
			t.Errorf("%v gives %v, want %v", a, got, c.narrow)
		}
	}
	if got := Prefix(standard, netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("an invalid address gives %v", got)
	}
}

// ActionDefault and PartNone when all agree, and each part asks for its own action.
func TestJudgeEachPart(t *testing.T) {
	c := withDefaults(t, policy.FingerprintConfig{})
	bound, seen := client(), client()
	if a, p := Judge(c, &bound, &seen); a != policy.ActionDefault || p != PartNone {
		t.Errorf("equal: %v, %v", a, p)
	}
	for p := PartPlatform; p <= PartNetwork; p++ {
		want := policy.ActionRequire
		if p == PartNetwork {
			want = policy.ActionStepUp
		}
		seen := other(bound, p)
		if a, got := Judge(c, &bound, &seen); a != want || got != p {
			t.Errorf("%v differs: %v, %v", p, a, got)
		}
		if a, got := Judge(c, &seen, &bound); a != want || got != p {
			t.Errorf("%v differs the other way: %v, %v", p, a, got)
		}
	}
}

// The strongest action among the parts that differ (require, step up, note) and the first part that asked for it:
// every configuration and every set of differences, against a twin that sorts.
func TestJudgeAgainstTwin(t *testing.T) {
	parts := []Part{PartPlatform, PartBuild, PartCertificate, PartChannel, PartNetwork}
	for n := range 4 * 4 * 4 * 4 * 4 {
		a := func(i int) policy.Action { return policy.Action(n >> (2 * i) & 3) }
		c := &policy.FingerprintConfig{Platform: a(0), Build: a(1), Certificate: a(2), Channel: a(3), Network: a(4)}
		for set := range 1 << len(parts) {
			bound, seen := client(), client()
			wantAction, wantPart := policy.ActionDefault, PartNone
			for _, action := range []policy.Action{policy.ActionNote, policy.ActionStepUp, policy.ActionRequire} { // the last one wins
				for i := len(parts) - 1; i >= 0; i-- {
					if set>>i&1 == 1 && (a(i) == action || a(i) == policy.ActionDefault && action == policy.ActionRequire) {
						wantAction, wantPart = action, parts[i]
					}
				}
			}
			for i, p := range parts {
				if set>>i&1 == 1 {
					seen = other(seen, p)
				}
			}
			if action, part := Judge(c, &bound, &seen); action != wantAction || part != wantPart {
				t.Fatalf("%+v, differences %05b: %v, %v; want %v, %v", c, set, action, part, wantAction, wantPart)
			}
		}
	}
}

// "HasCertificate: whether there is one; Certificate says nothing otherwise"
func TestCertificateThatIsNone(t *testing.T) {
	c := withDefaults(t, policy.FingerprintConfig{})
	with, without := client(), client()
	without.HasCertificate = false
	noise := other(without, PartCertificate)
	if _, p := Judge(c, &without, &noise); p != PartNone || without.Digest(1) != noise.Digest(1) {
		t.Errorf("what is no certificate makes a difference: %v", p)
	}
	if _, p := Judge(c, &with, &without); p != PartCertificate || with.Digest(1) == without.Digest(1) {
		t.Errorf("a lost certificate: %v", p)
	}
	zero := with
	zero.Certificate = [32]byte{}
	none := zero
	none.HasCertificate = false
	if _, p := Judge(c, &none, &zero); p != PartCertificate || none.Digest(1) == zero.Digest(1) {
		t.Errorf("a certificate of zeros is none: %v", p)
	}
}

// No two fingerprints are hashed as the same bytes, and the seed counts.
func TestDigest(t *testing.T) {
	base, seen := client(), map[uint64]string{}
	add := func(name string, f Fingerprint, seed uint64) {
		d := f.Digest(seed)
		if again := f; again.Digest(seed) != d {
			t.Errorf("%s: two digests", name)
		}
		if first, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, first)
		}
		seen[d] = name
	}
	add("base", base, 1)
	add("seed", base, 2)
	for p := PartPlatform; p <= PartNetwork; p++ {
		add(p.String(), other(base, p), 1)
	}
	add("ab c", Fingerprint{Platform: "ab", Build: "c"}, 1)
	add("a bc", Fingerprint{Platform: "a", Build: "bc"}, 1)
	add("abc", Fingerprint{Platform: "abc"}, 1)
	for _, p := range []string{"0.0.0.0/0", "::/0", "::ffff:0.0.0.0/0", "0.0.0.0/8", "::/8", "::/128"} {
		add(p, Fingerprint{Network: netip.MustParsePrefix(p)}, 1)
	}
	add("nothing", Fingerprint{}, 1)
}

// Fmt, slog and encoders see its name only
func TestFingerprintIsNotPrinted(t *testing.T) {
	f := client()
	f.Platform, f.Channel = "secret-platform", [32]byte([]byte("0123456789abcdef0123456789abcdef"))
	var b strings.Builder
	fmt.Fprintf(&b, "%v %+v %#v %s %x %q %d %v", f, f, f, f, f, f, f, &f)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "f", f)
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "f", &f)
	j, err := json.Marshal(map[string]any{"f": f})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	for _, s := range []string{"secret", "192.0.2", "0123456789", fmt.Sprintf("%x", f.Channel[:8]), "48 49 50", "48,49,50", "MDEy"} {
		if strings.Contains(b.String(), s) {
			t.Errorf("%q in %s", s, b.String())
		}
	}
	if got := strings.Count(b.String(), redacted); got != 11 {
		t.Errorf("printed %d times of 11: %s", got, b.String())
	}
}

// "one lower-case word", and values that do not exist say so.
func TestPartNames(t *testing.T) {
	for got, want := range map[Part]string{
		PartNone: "none", PartPlatform: "platform", PartNetwork: "network", Part(6): "part 6",
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	c, f, g, linkLocal := withDefaults(t, policy.FingerprintConfig{}), client(), client(), netip.MustParseAddr("fe80::1%eth0")
	for name, f := range map[string]func(){
		"Digest": func() { f.Digest(1) },
		"Judge":  func() { Judge(c, &f, &g) },
		"Prefix": func() { Prefix(c, linkLocal) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	f := client()
	for b.Loop() {
		f.Digest(1)
	}
}

func BenchmarkJudge(b *testing.B) {
	c, bound, seen := withDefaults(b, policy.FingerprintConfig{}), client(), client()
	for b.Loop() {
		Judge(c, &bound, &seen)
	}
}
