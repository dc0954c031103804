package transport

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
)

// "So they are all opened before Listen returns": what comes between Listen and Serve, or
// the first Poll, is answered without having been sent again, whichever socket the kernel
// has given it to, and whole connections come of it.
func TestFirstDatagramsAreKept(t *testing.T) {
	t.Parallel()
	const players, rounds = 6, 3
	for name, poll := range map[string]bool{"Serve": false, "Poll": true} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				loopback(t, func(w *world) {
					s := w.listen(func(c *Config) { c.Shards, c.MaxUnproven = 8, players })
					var greeters []*greeter
					var hellos [][]byte
					for i := range players {
						conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
						if err != nil {
							t.Fatal(err)
						}
						defer conn.Close() //nolint:errcheck // a socket
						g := &greeter{w: w, socket: conn, patience: 10 * time.Second, random: byte(i)}
						hellos = append(hellos, g.fragments(0, g.hello(nil, []uint16{0xc02b}, usual...), 2000)[0])
						g.send(hellos[i])
						greeters = append(greeters, g)
					}
					time.Sleep(10 * time.Millisecond)
					w.start(s, poll)
					for i, g := range greeters {
						if !handshake.IsFirstHello(hellos[i]) {
							t.Fatal("no ClientHello")
						}
						cookie := g.ask()
						g.send(g.fragments(1, g.hello(cookie, []uint16{0xc02b}, usual...), 2000)...)
						if b := g.hear(); len(b) < 14 || b[13] != 2 {
							t.Errorf("the ClientHello with the cookie is answered by %x", b)
						}
					}
					for n := range 4 {
						w.echo(w.join(n), "hello")
					}
					if got := s.Stats().Socket.Shards; poll && got != 1 || !poll && runtime.GOOS == "linux" && got != 8 {
						t.Errorf("%d sockets", got)
					}
				})
			}
		})
	}
}

// A player who has been dialling since before Serve began is let in by its first datagrams.
func TestDialBeforeServe(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		s := w.listen(func(c *Config) { c.Shards = 8 })
		time.AfterFunc(20*time.Millisecond, func() { w.start(s, false) })
		w.echo(w.join(1), "hello")
	})
}

// What comes between Listen and the first Poll for sessions of the process before reaches them,
// whichever socket the kernel has given it to.
func TestFirstDatagramsOfRestored(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		const players = 8
		fleet, shards := w.fleet(t), func(c *Config) { c.Shards = 8 }
		s := w.serve(fleet, shards)
		w.address = s.Addr().String()
		var clients []*Client
		for n := range players {
			clients = append(clients, w.join(n))
			w.echo(clients[n], "hello")
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.serving.Wait()
		s, w.served = w.listen(fleet, shards), nil
		for n, c := range clients {
			if err := c.Send([]byte(input(n, 1))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Millisecond)
		w.start(s, true)
		w.await("what the players have sent", func() bool {
			for n := range players {
				if w.match.count(input(n, 1)) != 1 {
					return false
				}
			}
			return true
		})
	})
}

// start has a server run that listens already.
func (w *world) start(s *Server, poll bool) {
	w.serving.Go(func() {
		h := w.match.handler()
		if !poll {
			w.served = s.Serve(h)
			return
		}
		for ; w.served == nil; time.Sleep(time.Millisecond) {
			_, w.served = s.Poll(h)
			s.Flush()
		}
	})
}

// Closing is possible in any state that Listen, Poll and Serve leave.
func TestCloseBesideSharing(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(w *world, s *Server){
		"at once":    func(*world, *Server) {},
		"after Poll": func(_ *world, s *Server) { _, _ = s.Poll(Handler{}) },
		"Poll after": func(w *world, s *Server) {
			_ = s.Close()
			if _, err := s.Poll(Handler{}); err != ErrServerClosed {
				w.Errorf("Poll: %v", err)
			}
		},
		"Serve after Poll": func(w *world, s *Server) {
			_, _ = s.Poll(Handler{})
			w.start(s, false)
			w.echo(w.join(1), "hello")
		},
	} {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				act(w, w.listen(func(c *Config) { c.Shards = 4 }))
			})
		})
	}
}
