package nakama

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/token"
)

// SessionIssuer is the Issuer of players who come with Nakama's own session token.
const SessionIssuer = "urn:sallyport:nakama"

// Sessions verifies Nakama's session tokens, and remembers each player's newest one, with which the gateway
// opens the player's WebSocket, and one more: the player may have signed in on two devices, and logged out
// on one. It is safe for concurrent use.
type Sessions struct {
	verifier *token.Verifier
	mu       sync.Mutex           // of changes to newest
	newest   *aging.Map[remember] // by user id
}

type remember struct {
	raw     string
	expires time.Time
	signIn  string // of raw
	other   string // that of another sign-in which was shown last; may be empty
}

// NewSessions takes Nakama's session.encryption_key, of 32 bytes or more; not that of refresh tokens.
// maxLife is session.token_expiry_sec, 0 for a day at most. Errors match token.ErrKey or
// token.ErrConfig.
func NewSessions(key []byte, maxLife time.Duration) (*Sessions, error) {
	secret, err := token.NewSecretKey("", key)
	if err != nil {
		return nil, err
	}
	keys, err := token.NewStaticKeys(secret)
	if err != nil {
		return nil, err
	}
	v, err := token.NewVerifier(token.Profile{
		Issuer: SessionIssuer, Algorithm: token.HS256, Form: token.FormNakama, Keys: keys, MaxLife: maxLife,
	})
	if err != nil {
		return nil, err
	}
	return &Sessions{verifier: v, newest: aging.New[remember](remembered / 2)}, nil
}

// Verify implements transport.Verifier.
func (s *Sessions) Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	claims, err := s.verifier.Verify(ctx, now, raw)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.newest.Get(claims.Subject)
	newer, other := !ok || !claims.Expires.Before(last.expires), last.other
	switch same := last.signIn == claims.SignIn; {
	case newer && !same:
		other = last.raw
	case !newer && !same:
		other = string(raw)
	}
	if newer {
		last = remember{raw: string(raw), expires: claims.Expires, signIn: claims.SignIn}
	}
	last.other = other
	s.newest.Put(claims.Subject, last)
	return claims, nil
}

// refused forgets a token that Nakama does not take, and reports whether there is another one of the user.
func (s *Sessions) refused(userID, raw string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.newest.Get(userID)
	switch {
	case !ok:
		return false
	case last.raw != raw:
		return true
	case last.other == "":
		return false
	}
	s.newest.Put(userID, remember{raw: last.other, expires: expiry(last.other)})
	return true
}

// Unverified returns a token's claims, as token.Verifier's does.
func (s *Sessions) Unverified(now time.Time, raw []byte) (*token.Claims, error) {
	return s.verifier.Unverified(now, raw)
}

// of returns the newest token of a user.
func (s *Sessions) of(userID string) (string, bool) {
	r, ok := s.newest.Get(userID)
	return r.raw, ok
}
