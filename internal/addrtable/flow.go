package addrtable

import (
	"net/netip"
	"unique"
)

// Flow identifies the path of a player's datagrams by its two ends. Flows from one address to
// different local addresses differ. Flows are comparable.
type Flow struct {
	netip.AddrPort // of the remote end

	// Local is the local address to which the datagrams come and from which the answers are sent.
	// It is zero on a socket with only one address, and on one that cannot tell.
	Local unique.Handle[Local]
}

// Local is an address of this host.
type Local struct {
	IP        [16]byte // an IPv4 address in IPv6 form
	Interface uint32   // to which a link-local address belongs; 0 for any other
	Carried   bool     // it is no address: the datagrams travel by another carrier than UDP
}

// Carried is the Local of all flows that travel by another carrier than UDP: there a peer may have the
// address of another one by UDP.
var Carried = unique.Make(Local{Carried: true})

// LocalOf returns the Local of an address without a zone or interface, and zero for an invalid or
// unspecified address.
func LocalOf(ip netip.Addr) (l unique.Handle[Local]) {
	if !ip.IsValid() || ip.IsUnspecified() {
		return l
	}
	return unique.Make(Local{IP: ip.As16()})
}

// LocalAddr returns the local address, without a zone, and the zero Addr if Local is zero or Carried.
func (f Flow) LocalAddr() netip.Addr {
	if f.Local == (unique.Handle[Local]{}) || f.Local == Carried {
		return netip.Addr{}
	}
	return netip.AddrFrom16(f.Local.Value().IP).Unmap()
}
