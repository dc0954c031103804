package transport

import (
	"context"
	"encoding/hex"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// pair is two match servers of one fleet, which tell each other what is used up after a while, as a
// feed would: each hears what it has said itself, too, and all of it twice.
type pair struct {
	*world // the first server, and the players
	other  *world

	telling sync.WaitGroup
	mu      sync.Mutex
	// +checklocks:mu
	after time.Duration // 0 means that nothing is told
	// +checklocks:mu
	servers []*Server // both
	// +checklocks:mu
	heard, known int // things said, and those of them that both were told
}

// newPair runs two servers.
func newPair(w *world, after time.Duration, configure ...func(*Config)) *pair {
	w.Helper()
	return newPairAt(w, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), serverAddr.Port()), w.address, after, configure...)
}

// newPairAt runs two servers, the other one at a place of the simulated network, or on loopback at address.
func newPairAt(w *world, place netip.AddrPort, address string, after time.Duration, configure ...func(*Config)) *pair {
	w.Helper()
	ring := testkit.Ring(w.T)
	o := newWorld(w.T)
	o.net, o.authority, o.issuer, o.place, o.address = w.net, w.authority, w.issuer, place, address
	p := &pair{world: w, other: o, after: after}
	configure = append(configure, func(c *Config) { c.Session.FleetKeys, c.Session.OnUsed = ring, p.hear })
	w.serve(configure...)
	o.serve(configure...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers = []*Server{w.server, o.server}
	return p
}

// end ends the other server; the first one is the world's.
func (p *pair) end() {
	p.tells(0)
	p.telling.Wait()
	if err := p.other.server.Close(); err != nil {
		p.Error(err)
	}
	p.other.serving.Wait()
}

// tells sets after what time the servers are told.
func (p *pair) tells(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = after
}

func (p *pair) hear(u session.Used) {
	p.mu.Lock()
	defer p.mu.Unlock()
	after, servers := p.after, p.servers
	if after == 0 {
		return
	}
	p.heard++
	p.telling.Go(func() {
		time.Sleep(after)
		for range 2 {
			for _, s := range servers {
				s.Use(u)
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.known++
	})
}

// told calls f, and waits until something has been said because of it, and all that was is told.
func (p *pair) told(f func()) {
	p.Helper()
	counts := func() (heard, known int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.heard, p.known
	}
	before, _ := counts()
	f()
	p.await("the servers are told", func() bool {
		heard, known := counts()
		return heard > before && known == heard
	})
}

// moves has a client resume its session at a server.
func (p *pair) moves(c *Client, to *world) {
	p.Helper()
	resumed := c.Stats().Resumed
	c.mu.Lock()
	s := &c.state
	s.addresses.known = []netip.AddrPort{to.server.Addr()}
	s.resumption.disconnected, s.resumption.retries = true, 1
	c.tick(time.Now())
	c.mu.Unlock()
	for range 200 {
		if c.Stats().Resumed > resumed {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.Fatal("the client is not taken")
}

// onBoth runs f with two servers in virtual time, and on the loopback interface.
func onBoth(t *testing.T, f func(p *pair)) {
	t.Helper()
	run := func(w *world) {
		p := newPair(w, 100*time.Millisecond)
		defer p.end()
		f(p)
	}
	t.Run("virtual", func(t *testing.T) { virtual(t, run) })
	t.Run("loopback", func(t *testing.T) { loopback(t, run) })
}

// An identity token that one server has taken is refused by the other, and whoever is refused by the
// match when joining has used none.
func TestFleetToken(t *testing.T) {
	t.Parallel()
	onBoth(t, func(p *pair) {
		raw := []byte(p.issuer.Token(p, token.Grant{Subject: "player 1", Scope: "match"}))
		same := func(c *ClientConfig) { c.Token = func(context.Context) ([]byte, error) { return raw, nil } }
		var c *Client
		p.told(func() { c = p.join(1, same) })
		p.echo(c, "here")
		_, err := p.other.try(2, same)
		p.closed(err, wire.ReasonUsed)
		p.echo(c, "still here")
		p.clients = append(p.clients, p.other.join(3))
	})
}

// A player goes to the other server and back. What is left behind ends by itself, its match is told
// that the player is elsewhere, and no session ends of what is told.
func TestFleetWandering(t *testing.T) {
	t.Parallel()
	onBoth(t, func(p *pair) {
		c := p.join(1)
		p.echo(c, "first")
		p.moves(c, p.other)
		p.echo(c, "second")
		p.await("what is left behind ends", func() bool { return p.server.Stats().Sessions == 0 })
		if left := p.match.left(); len(left) != 1 || left[0] != wire.ReasonReplaced {
			p.Errorf("the first match was told %v", left)
		}
		p.echo(c, "second still")
		p.moves(c, p.world)
		p.told(func() { p.moves(c, p.other) })
		p.echo(c, "second again")
		p.moves(c, p.world)
		p.await("one session is left", func() bool {
			return p.server.Stats().Sessions+p.other.server.Stats().Sessions == 1
		})
		p.echo(c, "first again")
	})
}

// A player who was kicked from one server is refused with the same ticket by the other, as by the one
// itself, and what lives there of the session ends.
func TestFleetKick(t *testing.T) {
	t.Parallel()
	onBoth(t, func(p *pair) {
		c := p.join(1)
		p.echo(c, "here")
		p.tells(0) // the move is not told
		p.moves(c, p.other)
		p.echo(c, "there")
		p.tells(100 * time.Millisecond)
		start := time.Now()
		p.match.player(0).Kick(session.ReasonGame+3, "cheat") // where it has been
		p.closed(p.ending(c), session.ReasonGame+3)
		if took := time.Since(start); took > 5*time.Second {
			p.Errorf("after %v", took)
		}

		var ears deaf
		d := p.join(2, p.deafSocket(&ears))
		p.echo(d, "here")
		ears.falls(p.world)
		p.told(func() { p.match.player(1).Kick(session.ReasonKicked) })
		p.isRefused(d, p.other, "ticket ended")
		p.closed(p.ending(d), wire.ReasonTicket)
	})
}

// A session that is revoked by its name anywhere in the fleet ends where it lives, and its player may
// come again with a fresh token.
func TestFleetRevokeSession(t *testing.T) {
	t.Parallel()
	onBoth(t, func(p *pair) {
		var ears deaf
		c, d := p.join(1), p.join(2, p.deafSocket(&ears))
		p.echo(c, "here")
		p.echo(d, "here")
		ears.falls(p.world)
		name := p.match.player(0).Session().Name()
		r := session.Revocation{Kind: session.RevokeSession, Value: hex.EncodeToString(name[:])}
		if n, err := p.other.server.Revoke(r); n != 0 || err != nil { // where it does not live
			p.Error(n, err)
		}
		p.closed(p.ending(c), wire.ReasonRevoked)
		name = p.match.player(1).Session().Name()
		r.Value = hex.EncodeToString(name[:])
		p.told(func() {
			for range 3 { // as a feed repeats it
				if _, err := p.other.server.Revoke(r); err != nil {
					p.Error(err)
				}
			}
		})
		if n := p.other.audited("withdraw"); n != 2 {
			p.Errorf("%d lines of two revocations", n)
		}
		p.isRefused(d, p.other, "revoked")
		p.closed(p.ending(d), wire.ReasonRevoked)
		c.Close()
		p.clients = append(p.clients, p.other.join(1))
	})
}

// deaf is a client's socket that lets nothing in from one address, so that the client does not learn
// what becomes of its session there, as a thief who has copied its ticket and secret does not.
type deaf struct {
	net.PacketConn
	to atomic.Pointer[net.Addr]
}

// deafSocket gives a client such a socket.
func (p *pair) deafSocket(into *deaf) func(*ClientConfig) {
	return func(c *ClientConfig) {
		if c.Conn == nil {
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				p.Fatal(err)
			}
			c.Conn = conn
		}
		into.PacketConn, c.Conn = c.Conn, into
	}
}

func (d *deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.PacketConn.ReadFrom(b)
		if to := d.to.Load(); err != nil || to == nil || from.String() != (*to).String() {
			return n, from, err
		}
	}
}

// falls has the client hear nothing of a server any more.
func (d *deaf) falls(to *world) {
	addr := net.Addr(net.UDPAddrFromAddrPort(to.server.Addr()))
	d.to.Store(&addr)
}

// isRefused has a client show its ticket at a server, which refuses it for a cause.
func (p *pair) isRefused(c *Client, at *world, cause string) {
	p.Helper()
	before := at.server.Stats().Refusals[cause]
	c.mu.Lock()
	s := &c.state
	s.addresses.known = []netip.AddrPort{at.server.Addr()}
	s.resumption.disconnected, s.resumption.retries, s.resumption.retryAt = true, 1, time.Time{}
	c.tick(time.Now())
	c.mu.Unlock()
	for range 300 {
		if time.Sleep(10 * time.Millisecond); at.server.Stats().Refusals[cause] > before {
			return
		}
	}
	p.Errorf("not refused for %q: %v, %v", cause, c.progress.over(), at.server.Stats().Refusals)
}
