package nakama

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/token"
)

// SessionIssuer is the Issuer of players who come with Nakama's own session token.
const SessionIssuer = "urn:sallyport:nakama"

// Sessions verifies Nakama's session tokens, and remembers the newest of each player, with which the
// gateway then opens the player's WebSocket. It is safe for concurrent use.
type Sessions struct {
	verifier *token.Verifier
	newest   *aging.Map[remember] // by user id
}

type remember struct {
	raw     string
	expires time.Time
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
	if last, ok := s.newest.Get(claims.Subject); !ok || !claims.Expires.Before(last.expires) {
		s.newest.Put(claims.Subject, remember{string(raw), claims.Expires})
	}
	return claims, nil
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
