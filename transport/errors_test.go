package transport

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// An address to listen on that has no port says which form is wanted, and every error of Listen begins
// with the package's name.
func TestListenErrors(t *testing.T) {
	t.Parallel()
	config := Config{Certificate: *testkit.NewAuthority(t).Server(t), Verifier: testkit.NewIssuer(t).Verifier(t)}
	for address, want := range map[string]string{
		"7777":          `must be host:port or :port, such as ":7777"`,
		"192.0.2.1:7":   "listen udp 192.0.2.1:7",
		"no host:7777":  "no host",
		"127.0.0.1:x y": "127.0.0.1:x y",
	} {
		s, err := Listen(address, config)
		if err == nil || !strings.HasPrefix(err.Error(), "transport: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
		if s != nil {
			s.Close() //nolint:errcheck // the test has failed
		}
	}
}

// "An ErrTimeout matches the error of ctx, too, once ctx is done": before anything was sent as well.
func TestDialContext(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		for name, c := range map[string]struct {
			delay time.Duration
			want  error
		}{"cancelled before": {0, context.Canceled}, "cancelled": {time.Second, context.Canceled}, "late": {time.Hour, context.DeadlineExceeded}} {
			ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
			if c.delay == 0 {
				cancel()
			} else {
				time.AfterFunc(c.delay, cancel)
			}
			_, err := Dial(ctx, serverAddr.String(), ClientConfig{
				RootCAs: w.authority.Pool(), Token: w.tokens(grantFor(1)), Conn: w.socket(playerAddr(1)),
			})
			cancel()
			if timeout, ok := errors.AsType[net.Error](err); !errors.Is(err, ErrTimeout) || !errors.Is(err, c.want) || !ok || !timeout.Timeout() {
				w.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(time.Hour)
	})
}

// "ErrNotConnected is returned by Player.Send and Client.Send while the session lives and has no
// connection that can carry a payload", and ErrGone after it.
func TestNotConnected(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		w.echo(c, "hello")
		p := w.match.player(0)
		c.mu.Lock()
		c.state.conns.current.closeNotify() // the connection ends, and the session does not
		c.state.conns.current.record.Wipe()
		c.mu.Unlock()
		synctest.Wait()
		if err := p.Send([]byte("to nobody")); err != ErrNotConnected {
			w.Errorf("Player.Send: %v", err)
		}
		if err := c.Send([]byte("from nobody")); err != ErrNotConnected {
			w.Errorf("Client.Send: %v", err)
		}
		time.Sleep(2 * time.Minute) // whatever becomes of the session, it ends
		c.Close()
		synctest.Wait()
		w.server.Close()
		if err := c.Send(nil); !errors.Is(err, net.ErrClosed) || errors.Is(err, ErrNotConnected) {
			w.Errorf("Client.Send after the end: %v", err)
		}
		for _, end := range []func() error{c.Close, w.server.Close, func() error { return w.server.Shutdown(w.Context()) }} {
			if err := end(); err != nil && (!errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "transport: ")) {
				w.Errorf("a second end: %v", err)
			}
		}
	})
}
