package udp

import (
	"net"
	"net/netip"
	"testing"
)

// One address has one form, however its interface is named.
func TestCanonical(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip("this machine has no interface with number 1: ", err)
	}
	for in, want := range map[string]string{
		"192.0.2.1:7":                   "192.0.2.1:7",
		"[::ffff:192.0.2.1]:7":          "192.0.2.1:7",
		"[2001:db8::1]:7":               "[2001:db8::1]:7",
		"[2001:db8::1%1]:7":             "[2001:db8::1]:7",
		"[fe80::1%1]:7":                 "[fe80::1%" + lo.Name + "]:7",
		"[fe80::1%" + lo.Name + "]:7":   "[fe80::1%" + lo.Name + "]:7",
		"[fe80::1%no such interface]:7": "[fe80::1%no such interface]:7",
		"[fe80::1%4000000000]:7":        "[fe80::1%4000000000]:7",
	} {
		a := netip.MustParseAddrPort(in)
		if got := Canonical(a); got.String() != want {
			t.Errorf("%v is %v, want %v", in, got, want)
		}
		if a.Addr().Zone() != "" && a.Addr().IsLinkLocalUnicast() && zoneID(a.Addr()) == 1 && !Same(a, Canonical(a)) {
			t.Errorf("%v and %v are not the same", a, Canonical(a))
		}
	}
	for _, other := range []string{"[fe80::1%1]:8", "[fe80::2%1]:7", "[fe80::1%2]:7", "[fe80::1]:7", "[fe80::1%x]:7"} {
		if Same(netip.MustParseAddrPort("[fe80::1%"+lo.Name+"]:7"), netip.MustParseAddrPort(other)) {
			t.Errorf("%v is another address", other)
		}
	}
}
