package sources

import (
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/policy"
)

// "the /24 or /64 that a budget is for", "the /24 or /56 that a fingerprint is about"
func TestPrefixes(t *testing.T) {
	for _, c := range []struct{ addr, source, network string }{
		{"192.0.2.0", "192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.255", "192.0.2.0/24", "192.0.2.0/24"},
		{"::ffff:192.0.2.7", "192.0.2.0/24", "192.0.2.0/24"},
		{"2001:db8:1:2ff:ffff::1", "2001:db8:1:2ff::/64", "2001:db8:1:200::/56"},
		{"2001:db8:1:300::", "2001:db8:1:300::/64", "2001:db8:1:300::/56"},
		{"fe80::1%eth0", "fe80::/64", "fe80::/56"},
		{"::", "::/64", "::/56"},
	} {
		a := netip.MustParseAddr(c.addr)
		if got := Prefix(a, sourceBits4, sourceBits6).String(); got != c.source {
			t.Errorf("the source of %v is %v, want %v", a, got, c.source)
		}
		if got := NetworkPrefix(a).String(); got != c.network {
			t.Errorf("NetworkPrefix(%v) = %v, want %v", a, got, c.network)
		}
	}
}

// "An invalid address gives the zero Prefix."
func TestPrefixOfInvalid(t *testing.T) {
	if Prefix(netip.Addr{}, sourceBits4, sourceBits6) != (netip.Prefix{}) || NetworkPrefix(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("not zero")
	}
	sourcesWith(policy.SourceConfig{}).Allow(epoch, netip.Addr{}) // shares a budget with ::, and does not panic
}
