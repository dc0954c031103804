package nakama

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "A player who comes from another gateway may have its former presence there": a match that refuses the
// user for it is asked again.
func TestRefusedElsewhere(t *testing.T) {
	t.Parallel()
	ring := testkit.Ring(t)
	first := newStage(t, newPeer(t), func(_ *Config, g *gateway.Config) { g.Transport.Session.FleetKeys = ring })
	second := newStage(t, newPeer(t), func(_ *Config, g *gateway.Config) {
		g.Transport.Session.FleetKeys = ring
		g.Transport.Certificate, g.Transport.Verifier = *first.trust.Server(t), first.issuer.Verifier(t)
	})
	path := newDetour(t, first.gateway.Addr())
	first.conn = path
	p, err := first.dialFor(t, token.Grant{Subject: "anna", Scope: matchWord + matchOne}, `{"match_id":"`+matchOne+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the join", func() bool { return first.Stats().Joined == 1 })
	second.peer.reject.Store(2)
	path.lead(second.gateway.Addr())
	if err := p.Send([]byte("\x06lost")); err != nil { // who sends notices it at once
		t.Fatal(err)
	}
	await(t, "the join by the other gateway, or the end", func() bool { return second.Stats().Joined == 1 || p.ended() })
	p.plays(t)
	if st := second.Stats(); st.Refused != 0 || st.Rejoined != 0 || second.peer.joins.Load() != 3 {
		t.Errorf("%d joins, %+v", second.peer.joins.Load(), st)
	}
	p.say(t, 5, "here")
	await(t, "an input", func() bool { return second.peer.has("5 true here") })
}

// "A match that refuses the user because it still has the former presence is asked again", for as long as
// it may have it: another gateway may keep the session for its idle time.
func TestStayOutlastsFormerPresence(t *testing.T) {
	t.Parallel()
	if DefaultStay <= session.DefaultIdle {
		t.Errorf("a player stays for %v, and a former presence for %v", DefaultStay, session.DefaultIdle)
	}
}

// detour is a client's socket. What the client sends to its server can be led to another one, whose
// answers come as the server's; the server itself is not heard any more.
type detour struct {
	net.PacketConn

	server *net.UDPAddr
	other  atomic.Pointer[net.UDPAddr]
}

func newDetour(t *testing.T, server netip.AddrPort) *detour {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &detour{PacketConn: conn, server: net.UDPAddrFromAddrPort(server)}
}

func (d *detour) lead(to netip.AddrPort) { d.other.Store(net.UDPAddrFromAddrPort(to)) }

func (d *detour) WriteTo(b []byte, to net.Addr) (int, error) {
	if other := d.other.Load(); other != nil {
		to = other
	}
	return d.PacketConn.WriteTo(b, to)
}

func (d *detour) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.PacketConn.ReadFrom(b)
		other := d.other.Load()
		switch {
		case err != nil || other == nil:
			return n, from, err
		case from.String() == other.String():
			return n, d.server, nil
		}
	}
}
