// Package hosts judges the Host of an HTTP request: a web page from elsewhere may have had a name of its
// own resolve to this machine, and sends that.
package hosts

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Loopback reports whether the Host of a request is this machine by a name or address that nobody
// else can have.
func Loopback(host string) bool {
	name := nameOf(host)
	ip, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && ip.IsLoopback()
}

// Addressed reports whether the Host of a request is an IP address, localhost or one of names.
func Addressed(host string, names ...string) bool {
	name := nameOf(host)
	if _, err := netip.ParseAddr(name); err == nil || strings.EqualFold(name, "localhost") {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// nameOf returns a Host without its port and brackets.
func nameOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}
