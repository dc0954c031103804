package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Place is where a client finds its server: host and port, as they were dialled.
type Place struct {
	Host string // without the dot behind an absolute name, and without a zone
	Name string // of the host as it is looked up; empty for an address
	port uint16
	Addr []netip.AddrPort // without a name
}

// Locate reads host and port.
func Locate(ctx context.Context, address string) (Place, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return Place{}, fmt.Errorf("transport: the server's address must be host:port, such as play.example.com:7777: %w", err)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	switch {
	case err != nil:
		return Place{}, fmt.Errorf("transport: the server's port is not known: %w", err)
	case port == 0:
		return Place{}, fmt.Errorf("transport: the server's address has port 0: give the port that the server listens on: %w",
			&net.AddrError{Err: "port 0", Addr: address})
	}
	return At(host, uint16(port)), nil
}

// At returns the place of a host, a name or an address without brackets, at a port. An empty host is
// this one.
func At(host string, port uint16) Place {
	p := Place{Host: PlainHost(host), port: port}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		p.Addr = p.all(netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	case err != nil:
		p.Name = host
	case ip == netip.IPv6Unspecified(): // what a server says that listens everywhere: this host, as package net has it
		p.Addr = p.all(netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	case ip.Unmap().IsUnspecified():
		p.Addr = p.all(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	default:
		p.Addr = p.all(ip)
	}
	return p
}

// PlainHost is a host as a certificate has it. The dot that makes a name absolute is for
// resolvers only (RFC 6066, section 3), and a zone for this machine.
func PlainHost(host string) string {
	if ip, _, ok := strings.Cut(host, "%"); ok && strings.Contains(ip, ":") {
		return ip
	}
	return strings.TrimSuffix(host, ".")
}

func (p Place) all(ips ...netip.Addr) (addrs []netip.AddrPort) {
	for _, ip := range ips {
		if a := Canonical(netip.AddrPortFrom(ip, p.port)); !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Look returns the addresses of the place, at least one and at most so many, in the order in which to try
// them. A name is looked up, each time anew.
func (p Place) Look(ctx context.Context, most int) ([]netip.AddrPort, error) {
	if p.Name == "" {
		return p.Addr, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", p.Name)
	if err != nil {
		return nil, fmt.Errorf("transport: no address is found for the server's name: %w", err)
	}
	addrs := alternate(p.all(ips...))
	return addrs[:min(len(addrs), most)], nil
}

// alternate orders addresses so that their families take turns, beginning with that of
// the first (RFC 8305, section 4): where one family is broken, all of it is.
func alternate(addrs []netip.AddrPort) []netip.AddrPort {
	var first, other []netip.AddrPort
	for _, a := range addrs {
		if a.Addr().Is4() == addrs[0].Addr().Is4() {
			first = append(first, a)
		} else {
			other = append(other, a)
		}
	}
	ordered := make([]netip.AddrPort, 0, len(addrs))
	for i := range addrs {
		if i < len(first) {
			ordered = append(ordered, first[i])
		}
		if i < len(other) {
			ordered = append(ordered, other[i])
		}
	}
	return ordered
}
