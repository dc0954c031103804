package addrtable

import (
	"net/netip"
	"unique"
)

// Flow is the way of a player's datagrams, by its two ends. Two flows from one address to
// different ones of ours are different. Flows are comparable.
type Flow struct {
	netip.AddrPort // of the other end

	// Local is the address of ours to which the datagrams come and from which the answers
	// go. It is zero on a socket that has only one address, or does not know.
	Local unique.Handle[Local]
}

// Local is an address of this host's.
type Local struct {
	IP        [16]byte // an IPv4 address in IPv6 form
	Interface uint32   // to which a link-local address belongs; 0 for any other
}

// LocalOf returns the Local of an address with neither zone nor interface, and zero for
// an address that is none, or unspecified.
func LocalOf(ip netip.Addr) (l unique.Handle[Local]) {
	if !ip.IsValid() || ip.IsUnspecified() {
		return l
	}
	return unique.Make(Local{IP: ip.As16()})
}

// LocalAddr is the address of ours, without a zone, and the zero Addr where Local is zero.
func (f Flow) LocalAddr() netip.Addr {
	if f.Local == (unique.Handle[Local]{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom16(f.Local.Value().IP).Unmap()
}
