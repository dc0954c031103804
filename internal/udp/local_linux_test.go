package udp

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/addrtable"
)

// The local address is found among other control messages; of none but a link-local one
// the interface counts.
func TestParseLocal(t *testing.T) {
	four, six, link := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1")
	size := cmsg(unix.SOL_UDP, unix.UDP_GRO, 0, 4, 0, 0)
	local4 := cmsg(unix.IPPROTO_IP, unix.IP_PKTINFO, 3, 3, 3, 3, 192, 0, 2, 1, 192, 0, 2, 255)
	local6 := cmsg(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(six.AsSlice(), 3, 3, 3, 3)...)
	linked := cmsg(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(link.AsSlice(), 3, 3, 3, 3)...)
	for name, test := range map[string]struct {
		b    []byte
		want addrtable.Local
	}{
		"none":          {},
		"another":       {size, addrtable.Local{}},
		"IPv4":          {slices.Concat(local4, size), addrtable.Local{IP: four.As16()}},
		"IPv6":          {slices.Concat(size, local6), addrtable.Local{IP: six.As16()}},
		"link-local":    {linked, addrtable.Local{IP: link.As16(), Interface: 0x03030303}},
		"cut off":       {local6[:len(local6)-5], addrtable.Local{}},
		"another level": {cmsg(99, unix.IP_PKTINFO, make([]byte, 20)...), addrtable.Local{}},
	} {
		got, ok := parseLocal(test.b)
		if got != test.want || ok != (test.want != addrtable.Local{}) {
			t.Errorf("%s: %v, %v, want %v", name, got, ok, test.want)
		}
	}
}

// What putSource writes is what the kernel reads: the same as it tells.
func TestPutSource(t *testing.T) {
	for family, list := range map[int][]string{unix.AF_INET: {"192.0.2.1"}, unix.AF_INET6: {"192.0.2.1", "2001:db8::1", "fe80::1"}} {
		for _, s := range list {
			want := addrtable.Local{IP: netip.MustParseAddr(s).As16()}
			if netip.MustParseAddr(s).IsLinkLocalUnicast() {
				want.Interface = 7
			}
			b := make([]byte, sourceLen)
			n := putSource(b, family, &want)
			n += putSegment(b[n:], 1200)
			if got, ok := parseLocal(b[:n]); got != want || !ok || n > sourceLen {
				t.Errorf("%s became %v in %d bytes", s, got, n)
			}
		}
	}
}
