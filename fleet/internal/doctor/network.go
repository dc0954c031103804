package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"syscall"
)

// socketBuffer is what the server asks of the kernel for each direction of each socket, in bytes.
const socketBuffer = 4 << 20

// checkPort opens the server's own socket.
func checkPort(e *examination) result {
	s, err := e.host.listen(e.listen)
	if err == nil {
		defer s.Close() //nolint:errcheck // nothing was sent
	}
	_, port, _ := net.SplitHostPort(e.listen)
	switch {
	case err == nil && e.running:
		return fail("Is the server up, and does it listen on this address? See its log, and: ss -ulpn", "UDP %s is free, and no server listens there", e.listen)
	case err == nil:
		return ok("UDP %s can be listened on", e.listen)
	case errors.Is(err, syscall.EADDRINUSE) && e.running:
		return ok("UDP %s is in use", e.listen)
	case errors.Is(err, syscall.EADDRINUSE):
		return fail("Which program has it: ss -ulpn 'sport = :"+port+"'. If it is the server, look with -running.", "UDP %s is in use", e.listen)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail("Listen on an address of this machine (ip addr), or on all of them: -listen :"+port, "UDP %s: the address is not this machine's", e.listen)
	case errors.Is(err, fs.ErrPermission):
		return fail("Take a port above 1023, or give the server CAP_NET_BIND_SERVICE.", "UDP %s: not permitted", e.listen)
	}
	return fail("Give a host or nothing, a colon and a port: -listen :7777", "UDP %s cannot be listened on: %v", e.listen, err)
}

func checkReceiveBuffer(e *examination) result {
	return e.checkBuffer("net.core.rmem_max", "what arrives between two ticks may not fit")
}

func checkSendBuffer(e *examination) result {
	return e.checkBuffer("net.core.wmem_max", "what a tick sends to many players may not fit")
}

// checkBuffer looks at the limit that the kernel holds a socket's buffer to.
func (e *examination) checkBuffer(name, why string) result {
	limit, err := e.host.sysctl(name)
	if errors.Is(err, fs.ErrNotExist) {
		return skip("this system, or container, does not show " + name)
	}
	if err != nil {
		return warn("Look at it yourself: sysctl "+name, "%s cannot be read: %v", name, err)
	}
	if limit >= socketBuffer {
		return ok("%s is %d, and a socket asks for %d bytes", name, limit, socketBuffer)
	}
	do := fmt.Sprintf("echo '%s = %d' >> /etc/sysctl.d/60-sallyport.conf && sysctl --system (on the host, for a container)\nOr give the server CAP_NET_ADMIN.", name, socketBuffer)
	return warn(do, "%s is %d, and a socket asks for %d bytes: %s", name, limit, socketBuffer, why)
}

func checkSegmentation(e *examination) result {
	send, receive, err := e.host.offload()
	const do = "A kernel of 5.0 or newer has both. Without them the server makes more system calls for the same players."
	switch {
	case err != nil:
		return skip(err.Error())
	case !send && !receive:
		return warn(do, "the kernel has neither UDP_SEGMENT nor UDP_GRO")
	case !send:
		return warn(do, "the kernel has no UDP_SEGMENT")
	case !receive:
		return warn(do, "the kernel has no UDP_GRO")
	}
	return ok("the kernel has UDP_SEGMENT and UDP_GRO")
}

// checkIPv6 looks for an address that players can reach.
func checkIPv6(e *examination) result {
	list, err := e.host.addresses()
	if err != nil {
		return warn("Look at them yourself: ip -6 addr", "the addresses cannot be listed: %v", err)
	}
	const do = "Have the network assign one, and publish it as AAAA: a player whose network has only IPv6 reaches IPv4 by translation, if at all."
	host, _, _ := net.SplitHostPort(e.listen)
	if at, err := netip.ParseAddr(host); err == nil && at.Unmap().Is4() && !at.IsLoopback() {
		return warn("Listen on all addresses, -listen :PORT, if the machine has IPv6.", "-listen %s takes IPv4 alone", e.listen)
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && global(p.Addr()) {
			return ok("the machine has %s", p.Addr())
		}
	}
	return warn(do, "the machine has no global IPv6 address")
}

// global reports whether an address is one of IPv6 that is routed beyond its site.
func global(a netip.Addr) bool {
	return a.Is6() && !a.Is4In6() && a.IsGlobalUnicast() && !a.IsPrivate()
}
