package transport

import (
	"net/netip"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/udp"
)

// localOf is the address of ours at which a player is to be found by the next process:
// none where it needs an interface, or is not known.
func (s *shard) localOf(c *conn) netip.Addr {
	ip := s.Socket.LocalAddr().Addr().WithZone("")
	if s.Socket.Multihomed() {
		ip = c.Addr.LocalAddr()
	}
	if ip.IsUnspecified() || ip.IsLinkLocalUnicast() {
		return netip.Addr{}
	}
	return ip
}

// flowOf is the flow of a session that another process has left.
func (m restored) flowOf(r *resume.Session) udp.Flow {
	f := udp.Flow{AddrPort: r.Addr}
	if m.shard.Socket.Multihomed() {
		f.Local = addrtable.LocalOf(r.Local)
	}
	return f
}

// reaches reports whether the socket can send to an address: one of IPv4 alone cannot to one of IPv6.
func (m restored) reaches(addr netip.AddrPort) bool {
	return !m.shard.Socket.LocalAddr().Addr().Is4() || addr.Addr().Unmap().Is4()
}

// warnOfAddresses tells the audit of a socket that listens on all addresses and does not
// know which of them a player has asked.
func warnOfAddresses(s *Server) {
	sock := s.endpoint.First().Socket
	if !sock.LocalAddr().Addr().IsUnspecified() || sock.Multihomed() {
		return
	}
	s.audit.now(audit.Event{
		Decision: audit.Alarm,
		Detail:   "the socket listens on all addresses and cannot tell them apart: on a host with several, listen on the one that players dial",
	})
}
