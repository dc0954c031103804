package nakamabridge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"time"

	"github.com/sallyport/sallyport/token"
)

// cognitoIssuer matches both issuer names of a user pool; the pool's id repeats the region.
var cognitoIssuer = regexp.MustCompile(
	`^https://(?:issuer-)?cognito-idp\.([a-z0-9-]+)\.amazonaws\.(?:com|com\.cn|eu)/(([a-z0-9-]+)_[0-9A-Za-z]+)$`)

// CustomID is Nakama's custom id for an issuer's subject, in the form that the package comment
// shows. The error is ErrIdentity.
func CustomID(issuer, subject string) (string, error) {
	id := provider(issuer) + ":" + subject
	if issuer == "" || subject == "" || len(id) > maxCustomID || strings.ContainsFunc(subject, unprintable) {
		return "", ErrIdentity
	}
	return id, nil
}

// provider names an issuer in two words.
func provider(issuer string) string {
	if m := cognitoIssuer.FindStringSubmatch(issuer); m != nil && m[1] == m[3] {
		return "cognito:" + m[2]
	}
	sum := sha256.Sum256([]byte(issuer))
	return "jwt:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// subjectOf undoes CustomID.
func subjectOf(customID string) (provider, subject string, err error) {
	kind, rest, _ := strings.Cut(customID, ":")
	name, subject, ok := strings.Cut(rest, ":")
	if !ok || subject == "" || kind != "cognito" && kind != "jwt" {
		return "", "", ErrUnknown
	}
	return kind + ":" + name, subject, nil
}

// username returns a random name for a new account. It does not show the sub, because every player
// can see it, and it cannot be guessed, because a player who takes a name first keeps others from
// an account with that name.
func username() string { return "player-" + strings.ToLower(rand.Text()) }

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

// UserID returns the Nakama user id of the player whom issuer calls subject, from memory or from
// the database. The error is ErrIdentity, or ErrUnknown if there is none or the account is banned.
func (b *Bridge) UserID(ctx context.Context, issuer, subject string) (string, error) {
	id, err := CustomID(issuer, subject)
	if err != nil {
		return "", err
	}
	if userID, ok := b.users.Get(id); ok {
		return userID, nil
	}
	userID, _, _, err := b.config.Accounts.AuthenticateCustom(ctx, id, "", false)
	if err != nil {
		return "", ErrUnknown
	}
	b.learn(userID, id)
	return userID, nil
}

// Subject is the reverse of UserID: provider is "cognito:" and the pool, or "jwt:" and the hash of
// the issuer. The error is ErrUnknown.
func (b *Bridge) Subject(ctx context.Context, userID string) (provider, subject string, err error) {
	if id, ok := b.customIDs.Get(userID); ok {
		return subjectOf(id)
	}
	account, err := b.config.Accounts.AccountGetId(ctx, userID)
	if err != nil {
		return "", "", ErrUnknown
	}
	if provider, subject, err = subjectOf(account.GetCustomId()); err == nil {
		b.learn(userID, account.GetCustomId())
	}
	return provider, subject, err
}

func (b *Bridge) learn(userID, customID string) {
	b.users.Put(customID, userID)
	b.customIDs.Put(userID, customID)
}

// identify verifies an identity token and names its player.
func (b *Bridge) identify(ctx context.Context, raw string) (*token.Claims, string, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	claims, err := b.config.Verifier.Verify(ctx, time.Now(), []byte(raw))
	if err != nil {
		return nil, "", err
	}
	id, err := CustomID(claims.Issuer, claims.Subject)
	return claims, id, err
}
