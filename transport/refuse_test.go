package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// verdict is a Verifier that has one answer for everything.
type verdict struct{ err error }

func (v verdict) Verify(context.Context, time.Time, []byte) (*token.Claims, error) { return nil, v.err }

// stalled is a Verifier that never answers.
type stalled struct{}

func (stalled) Verify(ctx context.Context, _ time.Time, _ []byte) (*token.Claims, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// "Else the server answers CLOSE": each reason reaches the caller of Dial as a
// *CloseError, the operator as a counter, and the audit as one record.
func TestRefusals(t *testing.T) {
	t.Parallel()
	alice := token.Grant{Subject: "alice", Scope: "match"}
	client := func(f func(w *world, c *ClientConfig)) func(w *world, c *ClientConfig) { return f }
	grant := func(g token.Grant) func(w *world, c *ClientConfig) {
		return client(func(w *world, c *ClientConfig) { c.Token = w.tokens(g) })
	}
	for _, test := range []struct {
		name   string
		server func(w *world, c *Config)
		client func(w *world, c *ClientConfig)
		reason wire.Reason
		drop   audit.Drop
		retry  bool
	}{
		{"expired", nil, func(w *world, c *ClientConfig) {
			c.Token = w.once(token.Grant{Subject: "alice", Scope: "match", Life: time.Second})
			time.Sleep(time.Minute)
		}, wire.ReasonExpired, audit.DropExpired, false},
		{"signature", nil, func(w *world, c *ClientConfig) {
			c.Token = func(context.Context) ([]byte, error) { return []byte(testkit.NewIssuer(w).Token(w, alice)), nil }
		}, wire.ReasonToken, audit.DropToken, false},
		{"form", nil, func(_ *world, c *ClientConfig) {
			c.Token = func(context.Context) ([]byte, error) { return []byte("not a token"), nil }
		}, wire.ReasonToken, audit.DropToken, false},
		{"scope of server", func(_ *world, c *Config) { c.Session.Scope = "another" }, nil, wire.ReasonScope, audit.DropScope, false},
		{"scope of client", nil, func(_ *world, c *ClientConfig) { c.Session.Scope = "another" }, wire.ReasonScope, audit.DropScope, false},
		{"authorize", func(_ *world, c *Config) {
			c.Session.Authorize = func(*session.Admission) error { return errors.New("no") }
		}, nil, wire.ReasonScope, audit.DropMatch, false},
		{"used", nil, func(w *world, c *ClientConfig) {
			raw, _ := c.Token(w.Context())
			c.Token = func(context.Context) ([]byte, error) { return raw, nil }
			w.dial(2, func(c *ClientConfig) { c.Token = func(context.Context) ([]byte, error) { return raw, nil } })
		}, wire.ReasonUsed, audit.DropUsed, false},
		{"full", func(_ *world, c *Config) { c.Session.MaxSessions = 1 }, func(w *world, _ *ClientConfig) { w.dial(2) }, wire.ReasonFull, audit.DropFull, true},
		{"none", func(_ *world, c *Config) { c.Session.MaxSessions = -1 }, nil, wire.ReasonFull, audit.DropFull, true},
		{"platform", nil, grant(token.Grant{Subject: "alice", Scope: "match", Platform: "ios"}), wire.ReasonFingerprint, audit.DropFingerprint, false},
		{"build", nil, grant(token.Grant{Subject: "alice", Scope: "match", Build: "1.2"}), wire.ReasonFingerprint, audit.DropFingerprint, false},
		{"certificate", nil, grant(token.Grant{Subject: "alice", Scope: "match", Thumbprint: new([32]byte)}), wire.ReasonFingerprint, audit.DropFingerprint, false},
		{"binding", nil, func(_ *world, c *ClientConfig) { c.Session.Unbound = true }, wire.ReasonBinding, audit.DropBinding, false},
		{"busy", func(_ *world, c *Config) { c.Verifier = verdict{session.ErrBusy} }, nil, wire.ReasonBusy, audit.DropBusy, true},
		{"stalled", func(_ *world, c *Config) { c.Verifier = stalled{} }, nil, wire.ReasonBusy, audit.DropBusy, true},
		{"unavailable", func(_ *world, c *Config) { c.Verifier = verdict{token.ErrUnavailable} }, nil, wire.ReasonUnavailable, audit.DropUnavailable, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(func(c *Config) {
					if test.server != nil {
						test.server(w, c)
					}
				})
				before := 0
				_, err := w.try(1, func(c *ClientConfig) {
					if test.client != nil {
						test.client(w, c)
					}
					before = len(w.audit.all())
				})
				w.closed(err, test.reason)
				if e, _ := errors.AsType[*CloseError](err); e != nil && (e.RetryAfter > 0) != test.retry {
					w.Errorf("retry after %v", e.RetryAfter)
				}
				if s := w.server.Stats(); s.Drops[test.drop.String()] != 1 {
					w.Errorf("counted %v, want one %v", s.Drops, test.drop)
				}
				events := w.audit.all()[before:]
				if len(events) != 1 || events[0].Decision != audit.Reject || events[0].Reason != test.drop {
					w.Errorf("audited %+v", events)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := w.server.first().Holdings().Conns; n > 1 || len(w.audit.all()) > before+2 { // the other player's, and its end
					w.Errorf("%d connections are left, audited %+v", n, w.audit.all()[before:])
				}
			})
		})
	}
}

// "only a token with `cnf` (a client certificate) is safe from a server it was
// shown to": it opens a session for the holder of that certificate alone.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		auth        tls.ClientAuthType
		own, bound  bool // the client shows its certificate; the token names one
		other       bool // the client shows another one
		want, drops error
	}{
		"good":            {auth: tls.RequireAnyClientCert, own: true, bound: true},
		"good, requested": {auth: tls.RequestClientCert, own: true, bound: true},
		"not bound":       {auth: tls.RequireAnyClientCert, own: true},
		"not asked":       {auth: tls.NoClientCert, own: true, bound: true, want: &CloseError{Reason: wire.ReasonFingerprint}},
		"other":           {auth: tls.RequireAnyClientCert, own: true, other: true, bound: true, want: &CloseError{Reason: wire.ReasonFingerprint}},
		"none, requested": {auth: tls.RequestClientCert, bound: true, want: &CloseError{Reason: wire.ReasonFingerprint}},
		"none":            {auth: tls.RequireAnyClientCert, bound: true, want: ErrHandshake},
		"none, neither":   {auth: tls.RequestClientCert},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(func(c *Config) { c.ClientAuth = test.auth })
				cert := w.authority.Client(w, "alice")
				c, err := w.try(1, func(c *ClientConfig) {
					g := token.Grant{Subject: "alice", Scope: "match"}
					if test.bound {
						thumb := testkit.Thumbprint(cert)
						g.Thumbprint = &thumb
					}
					c.Token = w.tokens(g)
					if test.other {
						cert = w.authority.Client(w, "mallory")
					}
					if test.own {
						c.Certificate = cert
					}
				})
				switch e, ok := errors.AsType[*CloseError](test.want); {
				case test.want == nil && err == nil:
					w.echo(c, "hello") // the tags bind the certificate
				case ok:
					w.closed(err, e.Reason)
				case test.want == ErrHandshake && errors.Is(err, ErrHandshake) && errors.Is(err, handshake.ErrNoCertificate): // by an alert
				default:
					w.Errorf("Dial: %v, want %v", err, test.want)
				}
			})
		})
	}
}
