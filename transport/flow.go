package transport

import (
	"net/netip"
	"unique"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/resume"
)

// A host with several addresses answers a player from the one that the player has asked:
// from another one the answer would reach nobody. So a connection belongs to a flow, to
// both of its addresses, wherever a socket listens on all addresses of the host and can
// tell them apart.
type (
	flow = addrtable.Flow
	ours = unique.Handle[addrtable.Local] // an address of this host's, zero for the only one
)

// flowConn is a net.PacketConn that can tell to which of the host's addresses a datagram
// has come, and send from it.
type flowConn interface {
	readFlow(b []byte) (int, flow, error)
	writeFlow(b []byte, to flow) error
}

// localOf is the address of ours at which a player is to be found by the next process:
// none where it needs an interface, or is not known.
func (s *shard) localOf(a *association) netip.Addr {
	ip := s.socket.localAddr().Addr().WithZone("")
	if s.socket.several() {
		ip = a.addr.LocalAddr()
	}
	if ip.IsUnspecified() || ip.IsLinkLocalUnicast() {
		return netip.Addr{}
	}
	return ip
}

// flowOf is the flow of a session that another process has left.
func (s *shard) flowOf(r *resume.Session) flow {
	f := flow{AddrPort: r.Addr}
	if s.socket.several() {
		f.Local = addrtable.LocalOf(r.Local)
	}
	return f
}

// warnOfAddresses tells the audit of a socket that listens on all addresses and does not
// know which of them a player has asked.
func (s *Server) warnOfAddresses() {
	sock := s.first().socket
	if !sock.localAddr().Addr().IsUnspecified() || sock.several() {
		return
	}
	s.config.Audit.Record(audit.Event{
		Time: s.clock.at(s.clock.now()), Decision: audit.Alarm, Version: version,
		Detail: "the socket listens on all addresses and cannot tell them apart: on a host with several, listen on the one that players dial",
	})
}
