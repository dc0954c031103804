package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// A connected socket will do, for either end.
func TestConnectedSocket(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		w.serve()
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(w.server.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		c := w.dial(1, func(c *ClientConfig) { c.Conn = conn })
		for range 10 {
			w.echo(c, "hello")
		}
		another, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(w.server.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Rebind(another); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); c.Stats().Moved == 0; time.Sleep(20 * time.Millisecond) {
			if err := c.Send([]byte("from another")); err != nil || time.Since(began) > patience {
				t.Fatal("the server has not followed: ", err)
			}
		}
	})
	loopback(t, func(w *world) {
		player, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, player.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		w.serve(func(c *Config) { c.Conn = conn })
		w.echo(w.dial(1, func(c *ClientConfig) { c.Conn = player }), "hello")
	})
}

var errNoNetwork = errors.New("no network")

// unplugged is a socket that can send nothing until a time.
type unplugged struct {
	*net.UDPConn
	until time.Time
}

// WriteToUDPAddrPort implements addrPortConn.
func (c unplugged) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if time.Now().Before(c.until) {
		return 0, errNoNetwork
	}
	return c.UDPConn.WriteToUDPAddrPort(b, to)
}

// "With ErrTimeout it wraps the socket's last error, if there is one; when the socket sends
// nothing at all, it comes within a second."
func TestSocketThatRefuses(t *testing.T) {
	t.Parallel()
	udp := func(t *testing.T, network, address string) *net.UDPConn {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return conn.(*net.UDPConn)
	}
	for name, c := range map[string]struct {
		Conn   func(t *testing.T) net.PacketConn
		listen string
		want   func(error) bool
	}{
		"of the other family, IPv4": {
			func(t *testing.T) net.PacketConn { return udp(t, "udp4", "127.0.0.1:0") }, "[::1]:0",
			func(err error) bool { _, ok := errors.AsType[*net.OpError](err); return ok },
		},
		"of the other family, IPv6": {
			func(t *testing.T) net.PacketConn { return udp(t, "udp6", "[::1]:0") }, "127.0.0.1:0",
			func(err error) bool { _, ok := errors.AsType[*net.OpError](err); return ok },
		},
		"connected elsewhere": {
			func(t *testing.T) net.PacketConn {
				conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}, "127.0.0.1:0",
			func(err error) bool { return errors.Is(err, net.ErrWriteToConnected) },
		},
		"without a network": {
			func(t *testing.T) net.PacketConn {
				return unplugged{udp(t, "udp4", "127.0.0.1:0"), time.Now().Add(time.Hour)}
			}, "127.0.0.1:0",
			func(err error) bool { return errors.Is(err, errNoNetwork) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				w.address = c.listen
				w.serve()
				began := time.Now()
				_, err := w.try(1, func(config *ClientConfig) { config.Conn = c.Conn(t) })
				if took := time.Since(began); took > promptly {
					t.Errorf("it took %v", took)
				}
				if !errors.Is(err, ErrTimeout) || !c.want(err) || !strings.HasPrefix(err.Error(), "transport: ") {
					t.Error(err)
				}
			})
		})
	}
}

// A network that is there after a moment is soon enough.
func TestNetworkComesUp(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		w.serve()
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		w.echo(w.dial(1, func(c *ClientConfig) { c.Conn = unplugged{conn, time.Now().Add(sendPatience / 3)} }), "hello")
	})
}

// What the system says about a port that nobody has is worth telling, though it cannot be
// believed: Dial waits on.
func TestPortThatNobodyHas(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		to := "127.0.0.1:" + testkit.FreePort(t)
		conn, err := net.Dial("udp", to)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = Dial(ctx, to, ClientConfig{RootCAs: w.authority.Pool(), Conn: conn.(*net.UDPConn), Token: w.tokens(grantFor(1))})
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() == nil {
			t.Error(err, ctx.Err())
		}
	})
}

// A socket that somebody else has closed: Dial says so at once.
func TestClosedSocket(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		w.serve()
		conn, err := net.ListenUDP("udp", nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		began := time.Now()
		if _, err := w.try(1, func(c *ClientConfig) { c.Conn = conn }); !errors.Is(err, net.ErrClosed) || time.Since(began) > promptly {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// "the session is over, and not because of Close": somebody else has closed the client's socket.
// Its user is told once.
func TestClosedSocketIsTold(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		r := w.run()
		s := w.stay(1)
		time.Sleep(time.Second)
		s.config.Conn.Close()
		time.Sleep(time.Second)
		s.quit()
		if last := s.events[len(s.events)-1]; s.told(EventClosed) != 1 || last.Kind != EventClosed || !errors.Is(last.Err, net.ErrClosed) {
			t.Errorf("%+v", s.events)
		}
		other := w.stay(2)
		w.quit(r, other)
		if n := other.told(EventClosed); n != 0 {
			t.Errorf("Close is told as well, %d times", n)
		}
	})
}
