package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
)

// "notes the cause in its audit" PROTOCOL.md 9.1, and the caller is told: at once, or a second
// after the alert that the other end has sent. Neither text quotes the peer.
func TestHandshakeCauses(t *testing.T) {
	t.Parallel()
	other := [32]byte{1}
	for name, test := range map[string]struct {
		server func(w *world, c *Config)
		client func(w *world, c *ClientConfig)
		text   string // of the client's error
		detail string // of the server's audit
		is     error
		as     any
	}{
		"authority": {
			client: func(_ *world, c *ClientConfig) { c.RootCAs = x509.NewCertPool() },
			text:   "certificate is signed by an unknown authority: it is not in ClientConfig.RootCAs; add the authority that has signed it, or set Pin", detail: "the peer says bad_certificate",
			as: new(x509.UnknownAuthorityError),
		},
		"name": {
			client: func(_ *world, c *ClientConfig) { c.ServerName = "example.com" },
			text:   `certificate is for another name: want "example.com", it has "localhost", 127.0.0.1, ::1; set ClientConfig.ServerName to one of them, or set Pin`, detail: "the peer says bad_certificate",
			as: new(x509.HostnameError),
		},
		"pin": {
			client: func(_ *world, c *ClientConfig) { c.Pin = &other },
			text:   "certificate is not the pinned one: the server has another certificate by now, or is another server; get the new pin where ClientConfig.Pin came from", detail: "the peer says bad_certificate",
			is: handshake.ErrPin,
		},
		"no client certificate": {
			server: func(_ *world, c *Config) { c.ClientAuth = tls.RequireAnyClientCert },
			text:   "client certificate asked for and not given: set ClientConfig.Certificate", detail: "client certificate asked for and not given",
			is: handshake.ErrNoCertificate,
		},
		"client certificate of nobody's": {
			server: func(_ *world, c *Config) {
				c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			},
			client: func(w *world, c *ClientConfig) { c.Certificate = w.authority.Client(w, "alice") },
			text:   "the peer says bad_certificate: the server does not accept ClientConfig.Certificate", detail: "certificate is signed by an unknown authority",
			as: new(handshake.AlertError),
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(func(c *Config) {
					if test.server != nil {
						test.server(w, c)
					}
				})
				start := time.Now()
				_, err := w.try(1, func(c *ClientConfig) {
					if test.client != nil {
						test.client(w, c)
					}
				})
				if !errors.Is(err, ErrHandshake) || test.is != nil && !errors.Is(err, test.is) || test.as != nil && !errors.As(err, test.as) {
					w.Fatalf("Dial: %v", err)
				}
				if want := "transport: handshake failed: " + test.text; err.Error() != want || time.Since(start) > 1500*time.Millisecond {
					w.Errorf("after %v: %q, want %q", time.Since(start), err, want)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				w.explained(test.detail)
			})
		})
	}
}

// explained wants one event, about a handshake, with this detail.
func (w *world) explained(detail string) {
	w.Helper()
	events := w.audit.all()
	if len(events) != 1 || events[0].Decision != audit.Reject || events[0].Reason != audit.DropHandshake || events[0].Detail != detail ||
		!events[0].Prefix.IsValid() || events[0].Time.IsZero() {
		w.Errorf("audited %+v, want %q", events, detail)
	}
	if n := w.server.first().Holdings().HalfOpen; n != 0 {
		w.Errorf("%d handshakes are left", n)
	}
}

// Who has returned no cookie is counted alone, whatever is wrong; who has is told by an alert, and stands in the audit.
func TestHelloCauses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		suites     []uint16
		extensions [][]byte
		detail     string
		alert      byte
	}{
		"no suite":         {[]uint16{0xc00a, 0x1301}, usual, "no common cipher suite", 71},
		"no group":         {[]uint16{0xc02b}, [][]byte{{0, 10, 0, 4, 0, 2, 0, 30}, usual[1]}, "no common group", 71},
		"no master secret": {[]uint16{0xc02b}, usual[:1], "no extended master secret", 40},
	} {
		virtual(t, func(w *world) {
			w.serve()
			g := w.greeter(stranger(1))
			defer g.socket.Close()
			cookie := g.ask(g.fragments(0, g.hello(nil, test.suites, test.extensions...), 2000)...)
			time.Sleep(time.Second)
			if n := len(w.audit.all()); n != 0 {
				w.Errorf("%s: %d events before the cookie", name, n)
			}
			g.send(g.fragments(1, g.hello(cookie, test.suites, test.extensions...), 2000)...)
			if b := g.hear(); len(b) != 15 || b[0] != 21 || b[14] != test.alert {
				w.Errorf("%s: answered by %x", name, b)
			}
			w.explained(test.detail)
		})
	}
}

// A stranger's alert in the server's name does not end a handshake that goes on, and where nothing goes on, the time
// limit of a caller who is in a hurry still brings it to light.
func TestForgedAlert(t *testing.T) {
	t.Parallel()
	alert := []byte{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40}
	virtual(t, func(w *world) {
		w.serve()
		w.serving.Go(func() {
			for range 1000 {
				w.net.Inject(serverAddr, playerAddr(1), alert)
				time.Sleep(time.Millisecond)
			}
		})
		w.echo(w.dial(1), "hello")
	})
	virtual(t, func(w *world) {
		w.listen() // and answers nobody
		ctx, cancel := context.WithTimeout(w.Context(), 500*time.Millisecond)
		defer cancel()
		socket := w.socket(playerAddr(1))
		time.AfterFunc(100*time.Millisecond, func() { w.net.Inject(serverAddr, playerAddr(1), alert) })
		_, err := Dial(ctx, serverAddr.String(), ClientConfig{RootCAs: w.authority.Pool(), Token: w.tokens(grantFor(1)), Conn: socket})
		if got, ok := errors.AsType[handshake.AlertError](err); !ok || got != 40 || !errors.Is(err, ErrHandshake) {
			w.Errorf("Dial: %v", err)
		}
	})
}

// A client that cannot come back because the server shows another certificate says so in the end.
func TestResumeCause(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		if err := w.server.SetCertificate(*testkit.NewAuthority(w).Server(w)); err != nil {
			w.Fatal(err)
		}
		w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool { return b[0] != 23 }) // the connection is dead, the server is not
		w.disconnect(c)
		for {
			_, err := c.Receive(w.Context(), make([]byte, udp.BufferLen))
			if err == nil {
				continue
			}
			if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok || !errors.Is(err, ErrTimeout) {
				w.Errorf("Receive: %v", err)
			}
			return
		}
	})
}
