package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
)

// loopback runs f with real sockets on the loopback interface, and fails if it leaves a goroutine behind.
func loopback(t *testing.T, f func(w *world)) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels(label, t.Name()), func(context.Context) {
		w := newWorld(t)
		f(w)
		w.close()
	})
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left := goroutines(t)
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left behind", left)
		}
	}
}

// label marks the goroutines that a test has started, and those that they have started.
const label = "test"

// goroutines counts those that carry the test's label.
func goroutines(t *testing.T) (n int) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("# labels: {%q:%q}", label, t.Name())
	_, stacks, _ := strings.Cut(profile.String(), "\n")
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if strings.Contains(stack, mark) {
			count, _, _ := strings.Cut(stack, " @ ")
			same, err := strconv.Atoi(count)
			if err != nil {
				t.Fatal(err)
			}
			n += same
		}
	}
	return n
}

// dialAt is dial with an address of its own for the server.
func (w *world) dialAt(address string, n int, configure ...func(*ClientConfig)) (*Client, error) {
	config := ClientConfig{
		RootCAs: w.authority.Pool(), ServerName: testkit.ServerName,
		Token: w.tokens(grantFor(n)),
	}
	for _, f := range configure {
		f(&config)
	}
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	return Dial(ctx, address, config)
}

// IPv4 and IPv6, over a socket of either family and one of both, with Serve and
// with Poll.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*world, ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		for listen, hosts := range map[string][]string{"127.0.0.1:0": {"127.0.0.1"}, "[::1]:0": {"::1"}, ":0": {"127.0.0.1", "::1", "localhost"}} {
			t.Run(name+listen, func(t *testing.T) {
				loopback(t, func(w *world) {
					w.address = listen
					start(w)
					for i, host := range hosts {
						c, err := w.dialAt(net.JoinHostPort(host, fmt.Sprint(w.server.Addr().Port())), i, func(c *ClientConfig) { c.ServerName = "" })
						if err != nil {
							w.Fatal(host, err)
						}
						w.clients = append(w.clients, c)
						for i := range 20 {
							w.echo(c, fmt.Sprint(i))
						}
						w.echo(c, string(make([]byte, wire.MaxBody)))
					}
				})
			})
		}
	}
}

// "Conn is a socket made elsewhere, which the Server then owns."
func TestConfigConn(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			w.Fatal(err)
		}
		w.serve(func(c *Config) { c.Conn = conn })
		if w.server.Addr().String() != conn.LocalAddr().String() {
			w.Error(w.server.Addr())
		}
		c := w.dial(1)
		w.echo(c, "hello")
		c.Close()
		w.server.Close()
		if err := conn.Close(); err == nil {
			w.Error("the server has left its socket open")
		}
	})
}

// A player whose port is closed makes the kernel report an ICMP error for what is
// sent to him. It says nothing that can be believed: the server goes on, for him
// and for others.
func TestPortUnreachable(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		w.serve()
		a, b := w.dial(1), w.dial(2)
		a.socket.conn.Load().Close()
		for range 50 {
			w.server.Broadcast([]byte("into nothing"))
			time.Sleep(time.Millisecond)
		}
		for w.receive(b) != "into nothing" {
		}
		for range 49 {
			w.receive(b)
		}
		w.echo(b, "hello")
		if s := w.server.Stats(); s.Sessions != 2 {
			w.Errorf("%+v", s)
		}
	})
}

// Nobody answers at the address: "ErrTimeout when it does not answer".
func TestServerAbsent(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		address := "127.0.0.1:" + testkit.FreePort(w)
		ctx, cancel := context.WithTimeout(w.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := Dial(ctx, address, ClientConfig{RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Token: w.tokens(grantFor(1))})
		if !errors.Is(err, ErrTimeout) {
			w.Error(err)
		}
	})
}

// Fifty players at once, with everything else that may happen meanwhile. It is
// the race detector's.
func TestFiftyPlayers(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		w.serve(func(c *Config) { c.Sources.Burst = 1000 })
		end := time.Now().Add(1500 * time.Millisecond)
		var all sync.WaitGroup
		slots := make(chan struct{}, 8) // "who starts many clients keeps to that number"
		for i := range 50 {
			all.Go(func() {
				slots <- struct{}{}
				c, err := w.dialAt(w.server.Addr().String(), i)
				<-slots
				if err != nil {
					w.Error(i, err)
					return
				}
				defer c.Close()
				for got := 0; time.Now().Before(end) || got == 0; time.Sleep(2 * time.Millisecond) {
					if err := c.Send([]byte("input")); err != nil {
						w.Error(i, err)
						return
					}
					ctx, cancel := context.WithTimeout(w.Context(), patience)
					if _, err := c.Receive(ctx, make([]byte, 100)); err != nil {
						w.Error(i, err)
					}
					cancel()
					got++
				}
			})
		}
		all.Go(func() {
			for time.Now().Before(end) {
				w.server.Broadcast([]byte("snapshot"))
				w.server.Flush()
				w.server.Stats()
				w.server.gate.Len()
				time.Sleep(10 * time.Millisecond)
			}
		})
		all.Wait()
		// Where the machine is busy some begin anew, and both handshakes may be completed.
		s := w.server.Stats()
		if h := s.Handshakes; h.Completed < 50 || h.Completed > 50+h.Failed || s.Drops["tag"]+s.Drops["replay"]+s.Drops["malformed"] > 0 {
			w.Errorf("%+v", s)
		}
	})
}
