package nakamabridge

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
)

// IdentityVar is the session variable in which VerifyRefresh expects the identity token.
const IdentityVar = "identity_token"

// VerifyRefresh is an Option that asks the identity provider's verdict again whenever a client
// refreshes its Nakama session: Register then registers BeforeSessionRefreshVerified in place of
// BeforeSessionRefresh. Without it a session, once it is there, is refreshed for as long as Nakama's
// own account is good, so a player whom the provider has banned stays until the account is banned in
// Nakama, too.
func VerifyRefresh(b *Bridge, in runtime.Initializer) error {
	return in.RegisterBeforeSessionRefresh(b.BeforeSessionRefreshVerified)
}

// BeforeSessionRefresh keeps the variables that the session has: without it a client writes any it
// likes into a token that the server signs.
func (b *Bridge) BeforeSessionRefresh(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, in *api.SessionRefreshRequest,
) (_ *api.SessionRefreshRequest, err error) {
	defer b.guard("BeforeSessionRefresh", &err)
	b.dropVars(ctx, &in.Vars)
	return in, nil
}

// BeforeSessionRefreshVerified is BeforeSessionRefresh for VerifyRefresh. The client sends an
// identity token, as for a sign-in, as the session variable IdentityVar; it must be valid, and of
// the player whose session this is. The session keeps the variables that it has. It refuses with
// 14 and 16; the client then signs in again.
func (b *Bridge) BeforeSessionRefreshVerified(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, in *api.SessionRefreshRequest,
) (_ *api.SessionRefreshRequest, err error) {
	defer b.guard("BeforeSessionRefreshVerified", &err)
	claims, _, err := b.identify(ctx, in.Vars[IdentityVar])
	if err != nil {
		return nil, b.refuse(ctx, claims, err)
	}
	userID, err := b.UserID(ctx, claims.Issuer, claims.Subject)
	if errors.Is(err, ErrUnavailable) {
		return nil, b.unread()
	}
	if err != nil || userID != refreshedUser(in.Token) {
		b.config.Logger.Info("nakamabridge: a session was not refreshed: the identity token is another player's")
		b.reject(ctx, audit.DropToken, claims, "identity token of another player refused")
		return nil, errRefused
	}
	in.Vars = nil
	b.record(ctx, audit.Accept, audit.DropNone, claims, "session refreshed")
	return in, nil
}

// refreshedUser returns the user id that a refresh token names. The token is not verified here:
// Nakama does that next, and refreshes the session of this user or of none.
func refreshedUser(refresh string) string {
	parts := strings.Split(refresh, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims struct {
		UserID string `json:"uid"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if errors.Join(err, json.Unmarshal(payload, &claims)) != nil {
		return ""
	}
	return claims.UserID
}
