package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
)

// faulty is a socket on which a read fails in place of returning a datagram that is
// longer than maxUDP, and after its Close.
type faulty struct {
	*netsim.Conn
	err    error        // in place of such a datagram
	ended  error        // after Close; nil means net.ErrClosed
	broken atomic.Bool  // every read fails, and at once
	reads  atomic.Int64 // that have failed
}

func failing(conn net.PacketConn, err, ended error) *faulty {
	return &faulty{Conn: conn.(*netsim.Conn), err: err, ended: ended}
}

// ReadFromUDPAddrPort implements addrPortConn.
func (c *faulty) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if c.broken.Load() {
		c.reads.Add(1)
		return 0, netip.AddrPort{}, c.err
	}
	n, from, err := c.Conn.ReadFromUDPAddrPort(b)
	switch {
	case err == nil && n > udp.MaxLen:
		err = c.err
	case errors.Is(err, net.ErrClosed) && c.ended != nil && c.reads.Load() < 100:
		err = c.ended
	}
	if err != nil {
		c.reads.Add(1)
		return 0, netip.AddrPort{}, err
	}
	return n, from, nil
}

// refusals are what systems answer a read with in place of a datagram.
var refusals = map[string]error{
	"a datagram too long for the buffer": errors.New("wsarecvfrom: larger than the buffer"), // Windows
	"a player who is gone":               &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvfrom", syscall.ECONNRESET)},
	"a port that nobody has":             &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvfrom", syscall.ECONNREFUSED)},
	"the end of something":               io.EOF,
}

// Reads that fail, as often as anybody likes, cost the players of a server nothing,
// and a client neither.
func TestReadsThatFail(t *testing.T) {
	t.Parallel()
	for name, refusal := range refusals {
		for _, at := range []string{"server", "client"} {
			t.Run(at+", "+name, func(t *testing.T) {
				virtual(t, func(w *world) {
					to := serverAddr
					if at == "client" {
						to = playerAddr(1)
					}
					w.serve(func(c *Config) { c.Conn = failing(c.Conn, refusal, nil) })
					c := w.dial(1, func(c *ClientConfig) { c.Conn = failing(c.Conn, refusal, nil) })
					long := make([]byte, udp.MaxLen+1)
					for _, n := range []int{1, 20, 40, 80, 160} { // at once
						for range n {
							w.net.Inject(stranger(1), to, long)
						}
						began := time.Now()
						w.echo(c, "after a burst")
						if took := time.Since(began); took > udp.FailurePause {
							t.Errorf("after %d failures an echo takes %v", n, took)
						}
					}
					for i := range 3000 { // one each millisecond
						w.net.Inject(stranger(1), to, long)
						time.Sleep(time.Millisecond)
						if i%16 != 0 {
							continue
						}
						began := time.Now()
						w.echo(c, "meanwhile")
						if took := time.Since(began); took > udp.FailurePause {
							t.Fatalf("with 1,000 failures a second an echo takes %v", took)
						}
					}
				})
			})
		}
	}
}

// A socket that does nothing but fail does not keep a processor busy, however long, and
// is heard as soon as it works again.
func TestBrokenSocket(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var conn *faulty
		w.serve(func(c *Config) {
			conn = failing(c.Conn, syscall.EBADF, nil)
			c.Conn = conn
		})
		c := w.dial(1)
		before := conn.reads.Load()
		conn.broken.Store(true)
		if err := c.Send([]byte("into the silence")); err != nil { // ends the read that waits
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n, most := conn.reads.Load()-before, int64(5*time.Second/udp.FailurePause+1)*udp.FailuresInRow; n == 0 || n > most {
			t.Errorf("%d reads in 5 s, want at most %d", n, most)
		}
		conn.broken.Store(false)
		w.receive(c)
		began := time.Now()
		w.echo(c, "hello")
		if took := time.Since(began); took > 2*udp.FailurePause {
			t.Errorf("an echo takes %v", took)
		}
	})
}

// A socket, or a carrier, that somebody else closes under the server is an alarm, once: whoever has come
// by the other one plays on.
func TestSocketClosedByOthers(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*world, ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		for what, carried := range map[string]bool{"Config.Conn": false, "Config.Also": true} {
			t.Run(name+", "+what, func(t *testing.T) {
				virtual(t, func(w *world) {
					d := w.around()
					defer d.close()
					var conn, also net.PacketConn
					start(w, func(c *Config) {
						d.server(c)
						conn, also = c.Conn, c.Also
					})
					direct := w.join(1)
					w.block(true)
					by := w.join(2, d.client(2))
					w.block(false)
					closed, rest := conn, by
					if carried {
						closed, rest = also, direct
					}
					alarms := func() (list []string) {
						for _, e := range w.audit.all() {
							if e.Decision == audit.Alarm && strings.Contains(e.Detail, "closed by somebody else") {
								list = append(list, e.Detail)
							}
						}
						return list
					}
					time.Sleep(5 * time.Second)
					if list := alarms(); len(list) > 0 {
						t.Errorf("%q", list)
					}
					closed.Close()
					for range 10 {
						time.Sleep(time.Second)
						w.echo(rest, "still here")
					}
					if list := alarms(); len(list) != 1 || !strings.HasPrefix(list[0], what) {
						t.Errorf("alarms %q", list)
					}
				})
			})
		}
	}
}

// "Once close has begun, any error ends the reader": sockets of user-space stacks answer
// with errors of their own.
func TestCloseOfForeignSocket(t *testing.T) {
	t.Parallel()
	for _, ended := range []error{io.EOF, io.ErrClosedPipe, errors.New("stack destroyed")} {
		for name, end := range map[string]func(w *world) error{
			"Close":    func(w *world) error { return w.server.Close() },
			"Shutdown": func(w *world) error { return w.server.Shutdown(w.Context()) },
		} {
			t.Run(name+", "+ended.Error(), func(t *testing.T) {
				virtual(t, func(w *world) {
					var conn, player *faulty
					w.serve(func(c *Config) {
						conn = failing(c.Conn, nil, ended)
						c.Conn = conn
					})
					c := w.dial(1, func(c *ClientConfig) {
						player = failing(c.Conn, nil, ended)
						c.Conn = player
					})
					w.echo(c, "hello")
					c.Close()
					if err := end(w); err != nil {
						t.Error(err)
					}
					if n := conn.reads.Load() + player.reads.Load(); n > 2 {
						t.Errorf("%d reads have failed, want one of each end", n)
					}
				})
			})
		}
	}
}
