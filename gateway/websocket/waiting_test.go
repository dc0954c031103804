package websocket

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dialerFrom connects from an address of the loopback interface.
func dialerFrom(t *testing.T, from string) *net.Dialer {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	if l, err := net.Listen("tcp", net.JoinHostPort(from, "0")); err != nil {
		t.Skipf("this machine has no address %s: %v", from, err)
	} else {
		l.Close()
	}
	return d
}

// "At most Config.MaxConnections connections that are not yet WebSockets wait at once, and Config.MaxPerSource
// of one source": whoever opens connections and says nothing takes no place from the players of other sources.
// Those that a proxy opens are no source's.
func TestWaiting(t *testing.T) {
	t.Parallel()
	const most = 20
	for name, c := range map[string]struct {
		proxies []netip.Prefix
		header  http.Header
		open    int // of those that the stranger has opened, how many the server keeps
	}{
		"a source":  {nil, nil, 3},
		"the proxy": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, http.Header{"X-Forwarded-For": {"203.0.113.9"}}, most - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := New(Config{MaxConnections: most, MaxPerSource: 3, Proxies: c.proxies})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			s := httptest.NewUnstartedServer(nil)
			s.Config = NewServer(l)
			s.Start()
			t.Cleanup(s.Close)
			stranger, player := dialerFrom(t, "127.0.0.1"), dialerFrom(t, "127.0.0.2")
			n := 2 * most
			if c.proxies != nil {
				n = most - 1 // one place is left
			}
			var held []net.Conn
			for range n {
				conn, err := stranger.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				held = append(held, conn)
			}
			d := websocket.Dialer{Subprotocols: []string{Subprotocol}, NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return player.DialContext(ctx, network, addr)
			}}
			ws, _, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http")+DefaultPath, c.header)
			if err != nil {
				t.Fatalf("a player of another source cannot connect: %v", err)
			}
			defer ws.Close()
			open := 0
			for _, conn := range held {
				conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) //nolint:errcheck // the read says it
				if _, err := conn.Read(make([]byte, 1)); isTimeout(err) {
					open++
				}
			}
			if open != c.open {
				t.Errorf("%d connections of the stranger's wait, want %d", open, c.open)
			}
			for _, conn := range held {
				conn.Close()
			}
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) { // and they leave their places
				conn, err := stranger.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) //nolint:errcheck // as above
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
				if isTimeout(err) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("no place is free again")
				}
			}
		})
	}
}

// "then one that is no proxy's gives way to a newcomer": who opens connections from several addresses keeps nobody
// out either, by TLS or without.
func TestWaitingGivesWay(t *testing.T) {
	t.Parallel()
	for name, withTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := New(Config{MaxConnections: 4, MaxPerSource: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			s := httptest.NewUnstartedServer(nil)
			s.Config = NewServer(l)
			if withTLS {
				s.StartTLS()
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			var held []net.Conn
			for i := range 4 {
				conn, err := dialerFrom(t, []string{"127.0.0.3", "127.0.0.4"}[i/2]).Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				held = append(held, conn)
			}
			d := websocket.Dialer{
				Subprotocols: []string{Subprotocol}, NetDialContext: dialerFrom(t, "127.0.0.2").DialContext,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // what is looked at is who gets in
			}
			ws, _, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http")+DefaultPath, nil)
			if err != nil {
				t.Fatalf("strangers keep a player out: %v", err)
			}
			defer ws.Close()
			for i, conn := range held {
				wait := 50 * time.Millisecond // for what must not come
				if i == 0 {
					wait = 5 * time.Second
				}
				conn.SetReadDeadline(time.Now().Add(wait)) //nolint:errcheck // the read says it
				if _, err := conn.Read(make([]byte, 1)); isTimeout(err) != (i > 0) {
					t.Errorf("connection %d of the strangers': %v", i, err)
				}
			}
		})
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
