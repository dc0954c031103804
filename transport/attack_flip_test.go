package transport

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// flips are clients that are not what the token is bound to: change makes the
// grant of a token that alice, as she is, cannot use.
var flips = []struct {
	name, drop string
	change     func(g *token.Grant)
}{
	{"platform", "fingerprint", func(g *token.Grant) { g.Platform = "flipped" }},
	{"build", "fingerprint", func(g *token.Grant) { g.Build = "flipped" }},
	{"certificate", "fingerprint", func(g *token.Grant) { g.Thumbprint = new([32]byte) }},
	{"player", "token", func(g *token.Grant) { g.Subject = "mallory" }},
	{"match", "scope", func(g *token.Grant) { g.Scope = "flipped" }},
}

// alice is bound to all that a token can name.
func (w *world) alice() (token.Grant, func(*ClientConfig)) {
	shown := w.authority.Client(w, "alice")
	thumbprint := testkit.Thumbprint(shown)
	g := token.Grant{Subject: "alice", Scope: "match", Platform: "go", Build: "7", Thumbprint: &thumbprint}
	return g, func(c *ClientConfig) {
		c.Certificate = shown
		c.Session.Scope = "match"
		c.Session.Fingerprint = session.Fingerprint{Platform: "go", Build: "7"}
	}
}

func askForCertificate(c *Config) { c.ClientAuth = tls.RequireAnyClientCert }

// "platform, build and client certificate are those that the token names where it
// names them" PROTOCOL.md 5.1
func TestFlippedHello(t *testing.T) {
	t.Parallel()
	for _, flip := range flips {
		if flip.drop != "fingerprint" {
			continue
		}
		t.Run(flip.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(askForCertificate)
				g, as := w.alice()
				flip.change(&g)
				_, err := w.try(1, as, func(c *ClientConfig) { c.Token = w.tokens(g) })
				w.closed(err, wire.ReasonFingerprint)
				w.dropped("fingerprint", 1)
				if n := w.audited("reject"); n != 1 {
					w.Errorf("audited %d times", n)
				}
				g, as = w.alice()
				w.echo(w.dial(2, as, func(c *ClientConfig) { c.Token = w.tokens(g) }), "as she is")
			})
		})
	}
}

// "A RENEW that is refused gets no answer and ends nothing. The session goes on
// until its expiry." PROTOCOL.md 5.3
func TestFlippedRenewal(t *testing.T) {
	t.Parallel()
	for _, flip := range flips {
		t.Run(flip.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(askForCertificate)
				g, as := w.alice()
				c := w.dial(1, as, quietClient, func(c *ClientConfig) { c.Token = w.once(g) })
				expires := w.match.player(0).Session().Expires()
				flip.change(&g)
				w.renew(c, g)
				w.dropped(flip.drop, 1)
				if w.audited("reject") != 1 || w.audited("renew") != 0 || w.audited("revoke") != 0 {
					w.Errorf("audited: %+v", w.audit.all())
				}
				w.echo(c, "still here")
				if got := w.match.player(0).Session().Expires(); !got.Equal(expires) {
					w.Errorf("expiry moved by %v", got.Sub(expires))
				}
				w.quiet()
				time.Sleep(time.Until(expires) + 2*time.Second)
				synctest.Wait()
				if left := w.match.left(); len(left) != 1 || left[0] == wire.ReasonLeft {
					w.Errorf("left: %v", left)
				}
			})
		})
	}
}

// renew has c present a token for g, and waits for the verdict.
func (w *world) renew(c *Client, g token.Grant) {
	w.Helper()
	raw := []byte(w.issuer.Token(w, g))
	c.mu.Lock()
	err := c.state.conns.current.machine.Renew(time.Now(), raw)
	c.tick(time.Now())
	c.mu.Unlock()
	if err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}
