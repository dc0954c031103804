package nakama

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/customid"
)

// almost is how long before its end a session token is no longer used: an upgrade takes less.
const almost = 5 * time.Second

// credential is a player's session at Nakama. It is used by the player's goroutine, and by that which looks
// after the matches.
type credential struct {
	backend  *Backend // constant
	issuer   string   // constant
	subject  string   // constant
	sessions *Sessions

	mu sync.Mutex
	// +checklocks:mu
	held nakamaSession
}

// token returns a session token that is good for a while yet: the player's own, or one that the gateway
// gets by signing in, or by refreshing the session that this gave. The error is an ending if another
// attempt would be no better.
func (c *credential) token(ctx context.Context) (string, error) {
	if c.sessions != nil {
		raw, ok := c.sessions.of(c.subject)
		if !ok {
			return "", endUnknown
		}
		return raw, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.held.Token != "" && now.Add(almost).Before(expiry(c.held.Token)) {
		return c.held.Token, nil
	}
	if r := c.held.Refresh; r != "" && now.Add(almost).Before(expiry(r)) {
		if s, err := c.backend.api.refresh(ctx, r); err == nil {
			c.backend.counts.refreshed.Add(1)
			c.held = s
			return s.Token, nil
		} else if !is(err, http.StatusUnauthorized) && !is(err, http.StatusForbidden) && !is(err, http.StatusNotFound) && !is(err, http.StatusBadRequest) {
			return "", err
		}
	}
	s, err := c.signIn(ctx)
	if err != nil {
		return "", err
	}
	c.held = s
	return s.Token, nil
}

// renew has the next token be a new one: Nakama looks at the account before it gives that, and has
// ended the WebSocket perhaps because of a ban, which the tokens of that second outlive.
func (c *credential) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Token = ""
}

// forget drops the session: Nakama does not take it.
func (c *credential) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = nakamaSession{}
}

// signIn authenticates by the custom id that stands for the verified identity. Two first sign-ins of
// one player at once may give one of them an error: it is tried again.
func (c *credential) signIn(ctx context.Context) (nakamaSession, error) {
	id, ok := c.backend.customID(c.issuer, c.subject)
	if !ok {
		return nakamaSession{}, endBanned
	}
	s, err := c.backend.api.authenticate(ctx, id)
	switch {
	case is(err, http.StatusUnauthorized):
		c.backend.log.Error("nakama: the server does not accept ServerKey")
	case is(err, http.StatusForbidden), is(err, http.StatusNotFound), is(err, http.StatusBadRequest):
		return s, endBanned
	case err == nil:
		c.backend.counts.signedIn.Add(1)
	}
	return s, err
}

// customID is the custom id of an issuer's subject: that of nakamabridge, and with a Secret one that
// nobody else can name, which ends in 22 characters of base64url(HMAC-SHA256(Secret, id)).
func (b *Backend) customID(issuer, subject string) (string, bool) {
	id, ok := customid.New(issuer, subject)
	if len(b.config.Secret) > 0 && ok {
		mac := hmac.New(sha256.New, b.config.Secret)
		mac.Write([]byte(id))
		id += "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
		ok = len(id) <= customid.Max
	}
	return id, ok
}
