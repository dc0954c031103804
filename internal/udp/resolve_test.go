package udp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// "beginning with that of the first (RFC 8305, section 4)".
func TestAlternate(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""},
		{"::1", "::1"},
		{"::1 ::2 ::3 1.0.0.1", "::1 1.0.0.1 ::2 ::3"},
		{"1.0.0.1 ::1 ::2 1.0.0.2", "1.0.0.1 ::1 1.0.0.2 ::2"},
		{"1.0.0.1 1.0.0.2 1.0.0.3", "1.0.0.1 1.0.0.2 1.0.0.3"},
	} {
		var in, want []netip.AddrPort
		for f := range strings.FieldsSeq(c[0]) {
			in = append(in, netip.AddrPortFrom(netip.MustParseAddr(f), 7))
		}
		for f := range strings.FieldsSeq(c[1]) {
			want = append(want, netip.AddrPortFrom(netip.MustParseAddr(f), 7))
		}
		if got := alternate(in); !slices.Equal(got, want) {
			t.Errorf("%v in order are %v, want %v", in, got, want)
		}
	}
}

// A host as a certificate has it: without a final dot, and without a zone.
func TestPlainHost(t *testing.T) {
	for host, want := range map[string]string{
		"play.example.com": "play.example.com", "play.example.com.": "play.example.com", "localhost.": "localhost",
		"fe80::1%eth0": "fe80::1", "fe80::1%2": "fe80::1", "192.0.2.1": "192.0.2.1", "": "",
	} {
		if got := PlainHost(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}
