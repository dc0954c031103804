package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// detour is a second network, which carries what the first one blocks. Both have the same addresses.
type detour struct {
	w   *world
	net *netsim.Network

	mu    sync.Mutex
	asked []string // the servers for which ClientConfig.Fallback was asked
	last  *netsim.Conn
	fails error // what it returns, if not nil
}

// around makes a detour, which lasts until close.
func (w *world) around() *detour { return &detour{w: w, net: netsim.New(2)} }

// close is deferred before anything uses the detour, whose goroutines the bubble waits for.
func (d *detour) close() {
	for _, c := range d.w.clients {
		c.Close()
	}
	if d.w.server != nil {
		d.w.server.Close()
	}
	d.net.Close()
}

// server has a server listen on both networks.
func (d *detour) server(c *Config) {
	conn, err := d.net.Listen(d.w.place)
	if err != nil {
		d.w.Fatal(err)
	}
	c.Also = conn
}

// client gives player n the detour.
func (d *detour) client(n int) func(*ClientConfig) {
	return func(c *ClientConfig) {
		c.Fallback = func(_ context.Context, server string) (net.PacketConn, net.Addr, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.asked = append(d.asked, server)
			if d.fails != nil {
				return nil, nil, d.fails
			}
			conn, err := d.net.Listen(playerAddr(n))
			if err != nil {
				conn, err = d.net.Listen(neighbour(n))
			}
			d.last = conn
			return conn, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(server)), err
		}
	}
}

// calls returns for which servers the fallback was asked.
func (d *detour) calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

// cut ends the carrier that was made last.
func (d *detour) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last.Close()
}

// block lets no UDP pass any more, or lets it pass again.
func (w *world) block(blocked bool) {
	im := netsim.Impairment{}
	if blocked {
		im.Loss = 1
	}
	if err := w.net.SetImpairment(im); err != nil {
		w.Fatal(err)
	}
}

// "A client MUST try UDP first, and MUST NOT use another carrier before two handshakes by UDP have had
// 1.5 s each in which nothing came." PROTOCOL.md 9.7
func TestFallbackDial(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(w *world, configure ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(w *world) {
				d := w.around()
				defer d.close()
				serve(w, d.server)
				direct := w.join(1, d.client(1)) // the other one's neighbour by UDP has its address by the detour
				w.block(true)
				start := time.Now()
				c := w.join(2, d.client(1))
				if took := time.Since(start); took < 2*attemptTime || took > 2*attemptTime+time.Second {
					t.Errorf("it took %v, want %v and the handshake", took, 2*attemptTime)
				}
				if asked := d.calls(); len(asked) != 1 || asked[0] != serverAddr.String() {
					t.Errorf("the fallback was asked for %q", asked)
				}
				for i := range 20 {
					w.echo(c, fmt.Sprint("hello ", i))
				}
				if !c.Stats().Fallback || direct.Stats().Fallback {
					t.Error("who is on a carrier does not know, or who is not believes so")
				}
				w.block(false)
				w.echo(direct, "by UDP")
				w.echo(c, "by the detour")
				if st := w.server.Stats(); st.Sessions != 2 || st.Socket.Shards != 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// "A refusal is an answer: it is no reason to use one." PROTOCOL.md 9.7
func TestFallbackNotAsked(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := w.around()
		defer d.close()
		w.serve(d.server)
		w.net.SetImpairment(netsim.Impairment{Latency: 300 * time.Millisecond})
		c := w.dial(1, d.client(1))
		time.Sleep(time.Minute)
		w.echo(c, "hello")
		if _, err := w.try(2, d.client(2), func(c *ClientConfig) {
			c.Token = func(context.Context) ([]byte, error) { return []byte("no.token.atall"), nil }
		}); err == nil {
			t.Error("it was let in")
		}
		if _, err := w.try(3, d.client(3), func(c *ClientConfig) { c.ServerName = "another.example" }); !errors.Is(err, ErrHandshake) {
			t.Errorf("with another server's name: %v", err)
		}
		if asked := d.calls(); len(asked) > 0 {
			t.Errorf("the fallback was asked for %q", asked)
		}
	})
}

// "From then on it SHOULD try both. The connection whose handshake is complete first has the session,
// and no other is shown the identity token." PROTOCOL.md 9.7
func TestFallbackRace(t *testing.T) {
	t.Parallel()
	for _, udp := range []bool{true, false} {
		virtual(t, func(w *world) {
			d := w.around()
			defer d.close()
			w.serve(d.server)
			w.block(true)
			if udp { // the detour is so slow that UDP is back before
				d.net.SetImpairment(netsim.Impairment{Latency: 2 * time.Second})
			}
			time.AfterFunc(3500*time.Millisecond, func() { w.block(false) })
			c := w.join(1, d.client(1))
			w.echo(c, "hello")
			time.Sleep(10 * time.Second)
			if c.Stats().Fallback == udp || len(d.calls()) == 0 {
				t.Errorf("UDP first %v: on a carrier %v, asked for %q", udp, c.Stats().Fallback, d.calls())
			}
			if st := w.server.Stats(); st.Sessions != 1 || len(st.Refusals) > 0 || w.audits(audit.Accept) != 1 {
				t.Errorf("UDP first %v: %+v", udp, st)
			}
		})
	}
}

// "The client MUST demand the same certificate on every carrier." PROTOCOL.md 9.7. And what is wrong with
// the fallback is in Dial's error.
func TestFallbackErrors(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := w.around()
		defer d.close()
		w.serve(d.server)
		w.block(true)
		tokens := 0
		_, err := w.try(1, d.client(1), func(c *ClientConfig) {
			c.ServerName = "another.example"
			mint := c.Token
			c.Token = func(ctx context.Context) ([]byte, error) { tokens++; return mint(ctx) }
		})
		if !errors.Is(err, ErrHandshake) || w.audits(audit.Accept) != 0 || tokens != 1 {
			t.Errorf("the detour shows another certificate: %v", err)
		}
		d.fails = errors.New("the proxy wants a password")
		asked := len(d.calls())
		if _, err := w.try(2, d.client(2)); !errors.Is(err, ErrTimeout) || !errors.Is(err, d.fails) {
			t.Errorf("the fallback fails: %v", err)
		}
		if n := len(d.calls()) - asked; n < 2 || n > 4 {
			t.Errorf("it was asked %d times in 7 s", n)
		}
		none := func(c *ClientConfig) {
			c.Fallback = func(context.Context, string) (net.PacketConn, net.Addr, error) { return nil, nil, nil }
		}
		if _, err := w.try(3, none); !errors.Is(err, errCarrier) {
			t.Errorf("the fallback returns nothing: %v", err)
		}
	})
}

// "A session whose path is lost MAY be resumed by its ticket (section 8.3) on another carrier than the
// one before, in either direction. Until then it stays where it is." PROTOCOL.md 9.7. Nobody leaves,
// whatever the network does.
func TestFallbackMidway(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		d := w.around()
		defer d.close()
		w.serve(d.server)
		s := w.stay(1, d.client(1))
		time.Sleep(time.Second)
		name := w.match.player(0).Session().Name()
		w.block(true)
		time.Sleep(12 * time.Second)
		if st := s.Stats(); !st.Fallback || st.Resumed != 1 || s.since() > 2*frame {
			t.Fatalf("UDP is blocked: %+v, the last snapshot %v ago; asked for %q", st, s.since(), d.calls())
		}
		w.block(false)
		time.Sleep(time.Minute)
		if st := s.Stats(); !st.Fallback || st.Resumed != 1 || len(d.calls()) != 1 {
			t.Fatalf("UDP is back, and nothing was lost: %+v", st)
		}
		d.cut()
		time.Sleep(time.Second)
		if st := s.Stats(); st.Fallback || st.Resumed != 2 || s.since() > 2*frame {
			t.Fatalf("the carrier is cut: %+v, the last snapshot %v ago", st, s.since())
		}
		w.block(true)
		time.Sleep(12 * time.Second)
		d.cut()
		time.Sleep(2 * time.Second)
		if st := s.Stats(); !st.Fallback || st.Resumed != 4 || s.since() > 2*frame {
			t.Fatalf("a carrier is cut while UDP is blocked: %+v, the last snapshot %v ago", st, s.since())
		}
		if got := w.match.player(0).Session().Name(); got != name {
			t.Errorf("it is session %v, was %v", got, name)
		}
		s.rest()
		w.quiet()
		if n := w.audits(audit.Accept); n != 1 {
			t.Errorf("%d sign-ins", n)
		}
	})
}

// Carriers that end as soon as they are made are asked for with pauses, and UDP has its time in between: it is back after
// a while, with a round trip that is longer than the head start that UDP has of a carrier.
func TestFallbackEndsAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		d := w.around()
		defer d.close()
		fleet := w.fleet(t)
		r := w.run(fleet)
		s := w.stay(1, d.client(1), func(c *ClientConfig) {
			open := c.Fallback
			c.Fallback = func(ctx context.Context, server string) (net.PacketConn, net.Addr, error) {
				conn, addr, err := open(ctx, server)
				conn.Close()
				return conn, addr, err
			}
		})
		time.Sleep(time.Second)
		w.block(true)
		w.end(r, r.Close)
		r = w.run(fleet)
		time.Sleep(8 * time.Second)
		w.net.SetImpairment(netsim.Impairment{Latency: 200 * time.Millisecond})
		time.Sleep(10 * time.Second)
		if st := s.Stats(); st.Resumed != 1 || s.since() > time.Second {
			t.Errorf("%+v, the last snapshot %v ago", st, s.since())
		}
		if n := len(d.calls()); n < 2 || n > 5 {
			t.Errorf("the fallback was asked %d times in 18 s", n)
		}
		w.quit(r, s)
	})
}

// Revocation reaches a player on a carrier, and nothing brings it back.
func TestFallbackBan(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := w.around()
		defer d.close()
		w.serve(d.server)
		w.block(true)
		c := w.join(1, d.client(1))
		if _, err := w.server.Ban(session.Ban{Issuer: w.match.player(0).Session().Issuer(), Subject: "player 1"}); err != nil {
			t.Fatal(err)
		}
		w.closed(w.ending(c), wire.ReasonRevoked)
		c.Close()
		if _, err := w.try(1, d.client(1)); err == nil {
			t.Error("it has come back")
		}
	})
}

// A session on a carrier is not in a snapshot: its player comes back by ticket, and the one by UDP stays.
func TestFallbackSnapshot(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := w.around()
		defer d.close()
		same := w.fleet(t)
		first := w.serve(same, d.server)
		w.block(true)
		b := w.join(2, d.client(2))
		w.block(false)
		a := w.join(1, d.client(1))
		w.echo(a, "before")
		w.echo(b, "before")
		if err := first.Shutdown(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.serve(same, d.server)
		time.Sleep(10 * time.Second)
		w.echo(a, "by UDP")
		w.echo(b, "by ticket")
		if a.Stats().Resumed != 0 || b.Stats().Resumed != 1 || w.audits(audit.Accept) != 2 {
			t.Errorf("%+v, %+v", a.Stats(), b.Stats())
		}
	})
}

// A server that is about to go sends its players on, whatever they are on.
func TestFallbackDrain(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := w.around()
		defer d.close()
		fleet := w.fleet(t)
		old := w.serve(fleet, d.server)
		w.block(true)
		c := w.join(1, d.client(1))
		defer old.Close()
		w.server, w.place = nil, netip.MustParseAddrPort("10.0.0.2:7777")
		other := w.listen(fleet, d.server)
		w.serving.Go(func() { other.Serve(w.match.handler()) })
		ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
		defer cancel()
		if err := old.Drain(ctx, w.place.String()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		synctest.Wait()
		w.echo(c, "hello")
		if st := c.Stats(); !st.Fallback || st.Resumed != 1 || other.Stats().Sessions != 1 || w.audits(audit.Accept) != 1 {
			t.Errorf("%+v; asked for %q", st, d.calls())
		}
	})
}

// A connection that moves by its id from UDP to the detour, and back, stays the same one: the challenge
// goes where the datagram has come from, whatever has the address on the other network.
func TestCarrierMoves(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(w *world, configure ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(w *world) {
				d := w.around()
				defer d.close()
				serve(w, d.server)
				s, other := w.stay(1), w.stay(2)
				time.Sleep(time.Second)
				conn, err := d.net.Listen(playerAddr(2)) // the other one's address by UDP
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Rebind(conn); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) // what was sent until the challenge was answered
				w.net.Tap(func(from, to netip.AddrPort, _ []byte) bool {
					if from == playerAddr(1) || to == playerAddr(1) {
						t.Errorf("%v to %v by UDP", from, to)
					}
					return true
				})
				time.Sleep(5 * time.Second)
				w.net.Tap(nil)
				if st := s.Stats(); st.Moved != 1 || st.Resumed != 0 || s.since() > 2*frame {
					t.Errorf("by the detour: %+v, the last snapshot %v ago", st, s.since())
				}
				if err := s.Rebind(w.socket(neighbour(1))); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				if st := s.Stats(); st.Moved != 2 || st.Resumed != 0 || s.since() > 2*frame {
					t.Errorf("by UDP again: %+v, the last snapshot %v ago", st, s.since())
				}
				s.rest()
				other.rest()
				if st := other.Stats(); st.Moved != 0 || st.Resumed != 0 || other.since() > 2*frame+time.Second {
					t.Errorf("the other one: %+v", st)
				}
				w.quiet()
			})
		})
	}
}

// A server that has polled and serves from then on hears its players on a carrier at once.
func TestCarrierPolledThenServed(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := w.around()
		defer d.close()
		s := w.listen(d.server)
		w.block(true)
		joined := make(chan struct{})
		w.serving.Go(func() {
			h := w.match.handler()
			for polls := true; polls; time.Sleep(time.Second / 60) {
				_, _ = s.Poll(h)
				s.Flush()
				select {
				case <-joined:
					polls = false
				default:
				}
			}
			w.served = s.Serve(h)
		})
		c := w.join(1, d.client(1))
		close(joined)
		time.Sleep(time.Second)
		for range 10 {
			time.Sleep(70 * time.Millisecond)
			start := time.Now()
			w.echo(c, "hello")
			if d := time.Since(start); d > time.Millisecond {
				t.Fatalf("an echo takes %v", d)
			}
		}
	})
}

// "For a server a flow is a carrier and both addresses." and "It MUST NOT take a datagram for another
// carrier's because the addresses are equal, and MUST answer by the carrier that the datagram came by."
// PROTOCOL.md 9.7. On real sockets: players by both at once, of whom some change over.
func TestCarrierOnLoopback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	also, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	w.serve(func(c *Config) { c.Also, c.Shards = also, 3 })
	const players = 12
	var carriers, cut sync.Map
	fallback := func(n int) func(*ClientConfig) {
		return func(c *ClientConfig) {
			real, err := net.ListenUDP("udp", nil)
			if err != nil {
				t.Error(err)
				return
			}
			wall := &wall{PacketConn: real}
			cut.Store(n, wall)
			c.Conn = wall
			c.Fallback = func(context.Context, string) (net.PacketConn, net.Addr, error) {
				conn, err := net.ListenUDP("udp", nil)
				carriers.Store(n, conn)
				return conn, also.LocalAddr(), err
			}
		}
	}
	clients := make([]*Client, players)
	for n := range clients {
		clients[n] = w.join(n, fallback(n))
	}
	for n := 0; n < players; n += 2 {
		b, _ := cut.Load(n)
		b.(*wall).up.Store(true)
		w.disconnect(clients[n])
	}
	deadline := time.Now().Add(10 * time.Second)
	for n := 0; n < players; n += 2 {
		for clients[n].Stats().Resumed == 0 && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	for round := range 10 {
		for n, c := range clients {
			w.echo(c, fmt.Sprint("round ", round, " player ", n))
		}
	}
	for n, c := range clients {
		if st := c.Stats(); st.Fallback != (n%2 == 0) {
			t.Errorf("player %d: %+v", n, st)
		}
	}
	st := w.server.Stats()
	if st.Sessions != players || st.Socket.Shards > 3 || len(w.match.left()) > 0 {
		t.Errorf("%+v, left %v", st, w.match.left())
	}
}

// wall lets nothing through while it is up.
type wall struct {
	net.PacketConn

	up atomic.Bool
}

func (b *wall) WriteTo(p []byte, to net.Addr) (int, error) {
	if b.up.Load() {
		return len(p), nil
	}
	return b.PacketConn.WriteTo(p, to)
}
