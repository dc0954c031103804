package transport

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Errors of an identity token that no server accepts.
var (
	errEmptyToken = badConfig("Token returned an empty token")
	errSpace      = badConfig("Token returned a token with white space around it, such as the newline at the end of a file: trim it")
	errLongToken  = fmt.Errorf("%w: Token returned a token that is too long: %w", ErrConfig, session.ErrHello)
)

// identityToken asks for an identity token, and refuses one that no server accepts.
func (c *ClientConfig) identityToken(ctx context.Context) ([]byte, error) {
	raw, err := c.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("transport: no identity token: %w", err)
	}
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) == 0:
		return nil, errEmptyToken
	case len(raw) > wire.MaxToken:
		return nil, errLongToken
	case len(trimmed) < len(raw) && bytes.Count(trimmed, []byte(".")) == 2: // a JWT
		return nil, errSpace
	}
	return raw, nil
}

// ownToken is what a client reads, without verifying it, in the payload of its own identity token.
// A claim of another type counts as missing.
type ownToken map[string]any

// readToken returns the claims of a JWT, or says why there are none.
func readToken(raw []byte) (t ownToken, problem string) {
	parts := strings.Split(string(raw), ".")
	if len(parts) != 3 {
		return nil, "the token is no JWT: it has not three parts with dots between"
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &t) != nil || t == nil {
		return nil, "the token is no JWT: its payload is no JSON object in base64url"
	}
	return t, ""
}

// text returns a claim of text, cut and in quotation marks; "none" if it is missing.
func (t ownToken) text(claim string) string {
	switch v := t[claim].(type) {
	case string:
		return fmt.Sprintf("%.*q", maxQuoted, v)
	case []any: // of an audience
		var texts []string
		for _, e := range v[:min(len(v), maxNames)] {
			if s, ok := e.(string); ok {
				texts = append(texts, fmt.Sprintf("%.*q", maxQuoted, s))
			}
		}
		if len(texts) > 0 {
			return strings.Join(texts, ", ")
		}
	}
	return "none"
}

// time returns a claim of seconds since 1970; ok is false if it is missing or means no time.
func (t ownToken) time(claim string) (at time.Time, ok bool) {
	seconds, ok := t[claim].(float64)
	if !ok || !(seconds > 0 && seconds < 1<<38) {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// refusal is what the user learns of a CLOSE, where shown is the identity token shown last.
func (c *ClientConfig) refusal(now time.Time, ev machine.Event, shown []byte) *CloseError {
	e := closeErrorOf(ev)
	if e.Hint == "" {
		e.Hint = c.tokenHint(now, e.Reason, shown)
	}
	return e
}

// tokenHint returns what a client can tell by itself about the refusal of its identity token, or an
// empty string.
func (c *ClientConfig) tokenHint(now time.Time, reason session.Reason, raw []byte) string {
	switch reason {
	case wire.ReasonToken, wire.ReasonExpired, wire.ReasonScope, wire.ReasonFingerprint:
	case wire.ReasonUsed:
		return "an identity token opens one session: ClientConfig.Token must return another one each time"
	case wire.ReasonTicket:
		return "the session is over, or the server has restarted without a snapshot or has other fleet keys: Dial again"
	case wire.ReasonBinding:
		if c.Session.Unbound {
			return "ClientConfig.Session.Unbound asks for binding mode none"
		}
		return ""
	default:
		return ""
	}
	t, problem := readToken(raw)
	if problem != "" {
		return problem
	}
	switch f := c.Session.Fingerprint; reason {
	case wire.ReasonScope:
		return fmt.Sprintf("the token's scope is %s, and ClientConfig.Session.Scope is %.*q", t.text("scope"), maxQuoted, c.Session.Scope)
	case wire.ReasonFingerprint:
		return fmt.Sprintf("the token's platform is %s and its build %s, those of ClientConfig.Session.Fingerprint are %.*q and %.*q",
			t.text("platform"), t.text("build"), maxQuoted, f.Platform, maxQuoted, f.Build)
	}
	return fmt.Sprintf("the token's issuer is %s, its audience %s; by this machine's clock it %s",
		t.text("iss"), t.text("aud"), t.validity(now, reason == wire.ReasonExpired))
}

// validity says when the token is valid, by the client's clock. expired is whether the server finds
// it expired.
func (t ownToken) validity(now time.Time, expired bool) string {
	expires, limited := t.time("exp")
	begins, later := t.time("nbf")
	if issued, ok := t.time("iat"); ok && (!later || issued.After(begins)) {
		begins, later = issued, true
	}
	var text string
	switch left := expires.Sub(now).Round(time.Second); {
	case later && begins.After(now):
		return fmt.Sprintf("is not valid before %v from now: this clock or the issuer's is wrong", begins.Sub(now).Round(time.Second))
	case !limited:
		return "has no time at which it expires"
	case left <= 0:
		return fmt.Sprintf("has expired %v ago", -left)
	default:
		text = fmt.Sprintf("is valid for another %v", left)
	}
	if expired {
		text += ": this clock or the server's is wrong"
	}
	return text
}

// versionHint names the protocol versions of a server that does not serve this one.
func versionHint(served []byte) string {
	if len(served) == 0 {
		return fmt.Sprintf("this client speaks version %d", wire.Version)
	}
	var versions []string
	for _, v := range served[:min(len(served), maxNames)] {
		versions = append(versions, fmt.Sprint(v))
	}
	return fmt.Sprintf("the server serves version %s, this client speaks version %d", strings.Join(versions, ", "), wire.Version)
}
