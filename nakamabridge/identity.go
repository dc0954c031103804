package nakamabridge

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/customid"
	"github.com/sallyport/sallyport/token"
)

// CustomID returns Nakama's custom id for an issuer's subject, in the form that the package comment
// shows. The error is ErrIdentity.
func CustomID(issuer, subject string) (string, error) {
	id, ok := customid.New(issuer, subject)
	if !ok {
		return "", ErrIdentity
	}
	return id, nil
}

// subjectOf undoes CustomID.
func subjectOf(customID string) (provider, subject string, err error) {
	provider, subject, ok := customid.Cut(customID)
	if !ok {
		return "", "", ErrUnknown
	}
	return provider, subject, nil
}

// UserID returns the Nakama user id of the player whom issuer calls subject, from memory or from
// the database. The error is ErrIdentity, ErrUnavailable, or ErrUnknown if there is none or the
// account is banned.
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
		return "", accountError(err)
	}
	b.learn(userID, id)
	return userID, nil
}

// Subject returns the identity behind a Nakama user id, the reverse of UserID: provider is
// "cognito:" and the pool, or "jwt:" and the hash of the issuer. The error is ErrUnknown or
// ErrUnavailable.
func (b *Bridge) Subject(ctx context.Context, userID string) (provider, subject string, err error) {
	if id, ok := b.customIDs.Get(userID); ok {
		return subjectOf(id)
	}
	account, err := b.config.Accounts.AccountGetId(ctx, userID)
	if err != nil {
		return "", "", accountError(err)
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
