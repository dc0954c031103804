package udp

import (
	"net"
	"net/netip"
	"strconv"
)

// Canonical writes an address as sockets of package net do: an IPv4 address never in IPv6
// form, a link-local address with the name of its interface, whether it was given by
// name or by number, and any other address without a zone, which says nothing there.
func Canonical(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr().Unmap()
	if ip.Zone() == "" {
		return netip.AddrPortFrom(ip, a.Port())
	}
	zone := ""
	if ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() {
		zone = ip.Zone()
		if index, err := strconv.Atoi(zone); err == nil {
			if i, err := net.InterfaceByIndex(index); err == nil {
				zone = i.Name
			}
		}
	}
	return netip.AddrPortFrom(ip.WithZone(zone), a.Port())
}

// Same reports whether two addresses are one, whose interface may be named in one and
// numbered in the other.
func Same(a, b netip.AddrPort) bool {
	if a == b {
		return true
	}
	if a.Addr().Zone() == "" || a.Port() != b.Port() || a.Addr().WithZone("") != b.Addr().WithZone("") {
		return false
	}
	id := zoneID(a.Addr())
	return id != 0 && id == zoneID(b.Addr())
}

// zoneID is the number of an address's interface, 0 without one.
func zoneID(ip netip.Addr) uint32 {
	if ip.Zone() == "" {
		return 0
	}
	if id, err := strconv.ParseUint(ip.Zone(), 10, 32); err == nil {
		return uint32(id)
	}
	if i, err := net.InterfaceByName(ip.Zone()); err == nil {
		return uint32(i.Index)
	}
	return 0
}
