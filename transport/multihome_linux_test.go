package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// supplied has a server listen on all addresses with a socket of package net's.
func supplied(t *testing.T, address string) func(*Config) {
	return func(c *Config) {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Conn = conn
	}
}

// everywhere are sockets that listen on all addresses.
func everywhere(t *testing.T) map[string]func(w *world) {
	return map[string]func(w *world){
		"its own, Serve":    func(w *world) { w.address = ":0"; w.serve() },
		"its own, Poll":     func(w *world) { w.address = ":0"; w.tick() },
		"its own, IPv4":     func(w *world) { w.address = "0.0.0.0:0"; w.serve() },
		"Config.Conn":       func(w *world) { w.serve(supplied(t, ":0")) },
		"Config.Conn, IPv4": func(w *world) { w.serve(func(c *Config) { c.Conn = udp4(t) }) },
	}
}

// recorded counts the audit's records of one decision.
func (w *world) recorded(d audit.Decision) (n int) {
	for _, e := range w.audit.all() {
		if e.Decision == d {
			n++
		}
	}
	return n
}

func udp4(t *testing.T) net.PacketConn {
	conn, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// "A server that has several addresses MUST send to a client from the address to which
// that client sends, in the handshake and afterwards" PROTOCOL.md 9.4
//
// In each way in which it sends: handshake, single datagrams, batches, CLOSE to a player
// and to one who is refused. "a client MUST take datagrams from no other" PROTOCOL.md 9.4
func TestAskedAddress(t *testing.T) {
	t.Parallel()
	for name, start := range everywhere(t) {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				start(w)
				hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.5", "127.9.9.9"}
				if w.server.Addr().Addr().Is6() {
					hosts = append(hosts, "::1")
				}
				var players []*Client
				for i, host := range hosts {
					at := net.JoinHostPort(host, fmt.Sprint(w.server.Addr().Port()))
					c, err := w.dialAt(at, i)
					if err != nil {
						t.Fatalf("%s: %v; server: %+v", host, err, w.server.Stats())
					}
					defer c.Close()
					players = append(players, c)
					for range 3 {
						w.echo(c, "hello")
					}
					_, err = w.dialAt(at, 100+i, func(c *ClientConfig) { c.Session.Scope = "another match" })
					if _, ok := err.(*CloseError); !ok {
						t.Errorf("%s: a player who is refused is told %v", host, err)
					}
				}
				w.server.Hold()
				for range 5 {
					w.server.Broadcast(make([]byte, 500))
				}
				w.server.Release()
				w.server.Flush()
				for range 5 {
					for _, c := range players {
						w.receive(c)
					}
				}
				w.match.mu.Lock()
				joined := w.match.players
				w.match.mu.Unlock()
				for _, p := range joined {
					p.Kick(wire.ReasonKicked)
				}
				for _, c := range players {
					w.closed(w.ending(c), wire.ReasonKicked)
				}
			})
		})
	}
}

// bend is a player's socket behind which the server's address changes: what goes to one
// goes to another, and comes from it.
type bend struct {
	*net.UDPConn
	from atomic.Pointer[netip.AddrPort]
	to   atomic.Pointer[netip.AddrPort]
}

// WriteToUDPAddrPort implements addrPortConn.
func (c *bend) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if at := c.to.Load(); at != nil {
		to = *at
	}
	return c.UDPConn.WriteToUDPAddrPort(b, to)
}

// ReadFromUDPAddrPort implements addrPortConn.
func (c *bend) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.UDPConn.ReadFromUDPAddrPort(b)
	if at := c.to.Load(); at != nil && udp.Unmap(from) == *at {
		from = *c.from.Load()
	}
	return n, from, err
}

// "The same address of the client's with another one of the server's is another address"
// PROTOCOL.md 9.4: the connection moves there once it is proven, and no sooner.
func TestServersAddressChanges(t *testing.T) {
	t.Parallel()
	for name, start := range everywhere(t) {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				start(w)
				udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				if err != nil {
					t.Fatal(err)
				}
				conn := &bend{UDPConn: udp}
				asked := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 5}), w.server.Addr().Port())
				conn.from.Store(&asked)
				c, err := w.dialAt(asked.String(), 1, func(c *ClientConfig) { c.Conn = conn })
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				w.echo(c, "before")
				for i := range 2 {
					next := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(6 + i)}), asked.Port())
					conn.to.Store(&next)
					for began := time.Now(); c.Stats().Moved == uint64(i); time.Sleep(20 * time.Millisecond) {
						if err := c.Send([]byte("where are you")); err != nil || time.Since(began) > patience {
							t.Fatalf("the server has not followed: %v, %v", err, w.server.Stats())
						}
					}
				}
				if n := w.recorded(audit.Migrate); n != 2 || c.Stats().Resumed != 0 {
					t.Errorf("%d migrations, %+v", n, c.Stats())
				}
			})
		})
	}
}

// fork gives several clients one socket, each what comes from its own server address.
type fork struct {
	*net.UDPConn
	mu    sync.Mutex
	tines map[netip.Addr]*tine
	done  sync.WaitGroup
}

type tine struct {
	net.PacketConn // of its own, which nobody writes to: for deadlines and Close
	fork           *fork
	inner          *net.UDPConn
	server         netip.AddrPort
}

func newFork(t *testing.T) *fork {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fork{UDPConn: udp, tines: make(map[netip.Addr]*tine)}
	f.done.Go(func() {
		for b := make([]byte, 2000); ; {
			n, from, err := udp.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			f.mu.Lock()
			to := f.tines[from.Addr().Unmap()]
			f.mu.Unlock()
			if to != nil {
				f.inject(to, b[:n])
			}
		}
	})
	return f
}

// inject has a tine read b.
func (f *fork) inject(to *tine, b []byte) {
	_, _ = to.inner.WriteToUDPAddrPort(b, to.inner.LocalAddr().(*net.UDPAddr).AddrPort())
}

func (f *fork) tine(t *testing.T, server netip.AddrPort) *tine {
	inner, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	x := &tine{PacketConn: inner, fork: f, inner: inner, server: server}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tines[server.Addr()] = x
	return x
}

// ReadFrom implements net.PacketConn.
func (x *tine) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := x.inner.ReadFromUDPAddrPort(b)
	return n, net.UDPAddrFromAddrPort(x.server), err
}

// WriteTo implements net.PacketConn.
func (x *tine) WriteTo(b []byte, to net.Addr) (int, error) { return x.fork.WriteTo(b, to) }

// "A connection is found by both addresses." PROTOCOL.md 9.4
//
// One address of the client's, with a connection at each of two addresses of the
// server's: both live.
func TestOneClientAddressTwoOfServer(t *testing.T) {
	t.Parallel()
	for name, start := range everywhere(t) {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				start(w)
				f := newFork(t)
				defer f.done.Wait()
				defer f.Close()
				var players []*Client
				for i := range 3 {
					at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(5 + i)}), w.server.Addr().Port())
					c, err := w.dialAt(at.String(), i, func(c *ClientConfig) { c.Conn = f.tine(t, at) })
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					players = append(players, c)
				}
				for range 5 {
					for i, c := range players {
						w.echo(c, fmt.Sprint("player ", i))
					}
				}
				if left := w.match.left(); len(left) > 0 {
					t.Errorf("players have left: %v", left)
				}
				if s := w.server.Stats(); s.Sessions != 3 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// The next process answers from the address that was asked of the one before: nobody
// changes their address for it.
func TestSnapshotKeepsAskedAddress(t *testing.T) {
	t.Parallel()
	for name, conn := range map[string]bool{"its own": false, "Config.Conn": true} {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				ring := testkit.Ring(t)
				path := filepath.Join(t.TempDir(), "snapshot")
				w.address = ":0"
				fleet := func(c *Config) {
					c.Session.FleetKeys, c.Snapshot = ring, path
					if conn {
						supplied(t, w.address)(c)
					}
				}
				first := w.serve(fleet)
				port := first.Addr().Port()
				var players []*Client
				for i, host := range []string{"127.0.0.1", "127.0.0.5", "::1"} {
					c, err := w.dialAt(net.JoinHostPort(host, fmt.Sprint(port)), i)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					w.echo(c, "before")
					players = append(players, c)
				}
				if err := first.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.serving.Wait()
				w.served, w.address = nil, fmt.Sprint(":", port)
				w.serve(fleet)
				for i, c := range players {
					for ctx, b := t.Context(), make([]byte, 100); ; { // what comes before Serve begins may be lost
						if err := c.Send([]byte("after")); err != nil {
							t.Fatal(err)
						}
						soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
						_, err := c.Receive(soon, b)
						cancel()
						if err == nil {
							break
						}
					}
					if s := c.Stats(); s.Moved+s.Resumed > 0 {
						t.Errorf("player %d: %+v", i, s)
					}
				}
				if n := w.recorded(audit.Migrate); n > 0 {
					t.Errorf("%d migrations", n)
				}
			})
		})
	}
}

// A socket that listens on all addresses and does not know them is on record: on such a
// host answers may come from the wrong one.
func TestWarningOfAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listen string
		Conn   func(conn net.PacketConn) net.PacketConn
		want   int
	}{
		"foreign, all":        {"0.0.0.0:0", func(c net.PacketConn) net.PacketConn { return struct{ net.PacketConn }{c} }, 1},
		"foreign, one":        {"127.0.0.1:0", func(c net.PacketConn) net.PacketConn { return struct{ net.PacketConn }{c} }, 0},
		"package net's, all":  {"0.0.0.0:0", func(c net.PacketConn) net.PacketConn { return c }, 0},
		"the server's, all":   {":0", nil, 0},
		"the server's, local": {"127.0.0.1:0", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				w.address = c.listen
				w.listen(func(config *Config) {
					if c.Conn != nil {
						supplied(t, c.listen)(config)
						config.Conn = c.Conn(config.Conn)
					}
				})
				if n := w.recorded(audit.Alarm); n != c.want {
					t.Errorf("%d alarms, want %d", n, c.want)
				}
			})
		})
	}
}

// Two hosts, of which the server's has several addresses of each family, none of which is
// on the loopback interface; over both kinds of socket.
func TestAskedAddressFromAnotherHost(t *testing.T) {
	t.Parallel()
	testkit.OwnNetwork(t, func(n *testkit.Network) {
		n.Cable()
		hosts := []string{"10.99.0.1", "10.99.0.7", "fd99::1", "fd99::7"}
		n.Address("10.99.0.1/24", "10.99.0.2/24")
		n.Address("10.99.0.7/24", "10.99.0.3/24")
		n.Address("fd99::1/64", "fd99::2/64")
		n.Address("fd99::7/64", "fd99::3/64")
		for _, conn := range []bool{false, true} {
			loopback(t, func(w *world) {
				w.address = ":0"
				w.tick(func(c *Config) {
					if conn {
						supplied(t, ":0")(c)
					}
				})
				for i, host := range hosts {
					at := net.JoinHostPort(host, fmt.Sprint(w.server.Addr().Port()))
					var c *Client
					n.There(func() (err error) {
						if c, err = w.dialAt(at, i); err != nil {
							err = fmt.Errorf("Config.Conn %v, %s: %w", conn, host, err)
						}
						return err
					})
					for range 3 {
						w.echo(c, "hello")
					}
					c.Close()
				}
			})
		}
	})
}
