package sources

import "net/netip"

// Bits of an address that name a source for budgets, and a network for fingerprints. The smallest
// block that is routed on the Internet is an IPv4 /24; an IPv6 subnet is a /64 (RFC 4291 2.5.1),
// and a household is often given a /56 and moves about in it (RFC 6177).
const (
	sourceBits4  = 24
	sourceBits6  = 64
	networkBits4 = 24
	networkBits6 = 56
	siteBits6    = 48
	hostBits4    = 32
)

// sourceTiers6 are the IPv6 prefixes that have budgets, the smallest first.
var sourceTiers6 = [...]int{sourceBits6, networkBits6, siteBits6}

// prefixes are those of an address that have budgets, by their numbers of bits, the smallest first.
// Those of IPv6 are sourceTiers6. A tier without a prefix has none.
type prefixes struct{ ipv4 []int }

// strangers share the smallest block that is routed; addresses have their own, and that of the block
// is as many times larger as a /48's is than a /64's.
var (
	strangers = prefixes{ipv4: []int{sourceBits4}}
	addresses = prefixes{ipv4: []int{hostBits4, 0, sourceBits4}}
)

// NetworkPrefix returns the /24 or /56 that names a network: by default a fingerprint is about it. An
// IPv4 address in IPv6 form is an IPv4 address, and a zone is dropped. An invalid address gives the
// zero Prefix.
func NetworkPrefix(a netip.Addr) netip.Prefix { return Prefix(a, networkBits4, networkBits6) }

// SitePrefix returns the /24 or /48 whose hosts may belong to one party, under the same rules.
func SitePrefix(a netip.Addr) netip.Prefix { return Prefix(a, sourceBits4, siteBits6) }

// Prefix returns the first bits4 bits of an IPv4 address or the first bits6 of an IPv6 address, under
// the same rules.
func Prefix(a netip.Addr, bits4, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	p, _ := a.Prefix(bits) // fails for an invalid address only
	return p
}
