package nakamabridge

import (
	"context"
	"database/sql"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/customid"
	"github.com/sallyport/sallyport/token"
)

// BeforeAuthenticateCustom accepts a valid identity token as id, and replaces it by the custom id
// that the token stands for. Username and session variables that the client sent are ignored. It
// refuses with 3, 14 and 16.
func (b *Bridge) BeforeAuthenticateCustom(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, in *api.AuthenticateCustomRequest,
) (_ *api.AuthenticateCustomRequest, err error) {
	defer b.guard("BeforeAuthenticateCustom", &err)
	if in.GetAccount().GetId() == "" {
		return nil, errRequest
	}
	if err := b.admit(ctx, in.Account, "signed in"); err != nil {
		return nil, err
	}
	in.Username = customid.Username()
	return in, nil
}

// AfterAuthenticateCustom remembers which Nakama user an identity belongs to.
func (b *Bridge) AfterAuthenticateCustom(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ *api.Session,
	in *api.AuthenticateCustomRequest,
) (err error) {
	defer b.guard("AfterAuthenticateCustom", &err)
	id := in.GetAccount().GetId()
	if userID := text(ctx, runtime.RUNTIME_CTX_USER_ID); userID != "" {
		if _, _, err := subjectOf(id); err == nil {
			b.learn(userID, id)
		}
	}
	return nil
}

// BeforeLinkCustom links an identity, proven by its token, to an account that has none: otherwise
// anyone who knows a sub could take its future account. It refuses with 3, 7, 14 and 16.
func (b *Bridge) BeforeLinkCustom(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, in *api.AccountCustom,
) (_ *api.AccountCustom, err error) {
	defer b.guard("BeforeLinkCustom", &err)
	if in.GetId() == "" {
		return nil, errRequest
	}
	if err := b.unlinked(ctx); err != nil {
		return nil, err
	}
	if err := b.admit(ctx, in, "identity linked"); err != nil {
		return nil, err
	}
	return in, nil
}

// unlinked returns an error unless the caller's account has no custom id yet.
func (b *Bridge) unlinked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	account, err := b.config.Accounts.AccountGetId(ctx, text(ctx, runtime.RUNTIME_CTX_USER_ID))
	switch {
	case err != nil:
		return b.unread()
	case account.GetCustomId() != "":
		b.reject(ctx, audit.DropState, nil, "a second identity was denied")
		return errDenied
	}
	return nil
}

// BeforeUnlinkCustom refuses with 7: an account without its identity would go on beyond the
// issuer's reach.
func (b *Bridge) BeforeUnlinkCustom(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ *api.AccountCustom,
) (_ *api.AccountCustom, err error) {
	defer b.guard("BeforeUnlinkCustom", &err)
	b.reject(ctx, audit.DropState, nil, "unlinking was denied")
	return nil, errDenied
}

// AfterSessionLogout ends the UDP sessions of a user who has logged out, on all devices.
func (b *Bridge) AfterSessionLogout(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ *api.SessionLogoutRequest,
) (err error) {
	defer b.guard("AfterSessionLogout", &err)
	if userID := text(ctx, runtime.RUNTIME_CTX_USER_ID); userID != "" {
		b.Revoke(userID)
	}
	return nil
}

// admit verifies the token that a client gave as id and puts the custom id in its place.
func (b *Bridge) admit(ctx context.Context, account *api.AccountCustom, done string) error {
	claims, id, err := b.identify(ctx, account.Id)
	if err != nil {
		return b.refuse(ctx, claims, err)
	}
	b.dropVars(ctx, &account.Vars)
	account.Id = id
	b.record(ctx, audit.Accept, audit.DropNone, claims, done)
	return nil
}

// refuse logs and audits that an identity token was refused, and returns the client's answer.
func (b *Bridge) refuse(ctx context.Context, claims *token.Claims, err error) error {
	answer, reason := answerTo(err)
	b.config.Logger.Info("nakamabridge: identity token refused: %v", cause(err))
	if answer == errUnavailable {
		b.config.Logger.Warn("nakamabridge: the issuer's keys cannot be reached")
	}
	b.reject(ctx, reason, claims, detail(err))
	return answer
}

// dropVars takes away the session variables that a client sent.
func (b *Bridge) dropVars(ctx context.Context, vars *map[string]string) {
	if len(*vars) > 0 {
		b.reject(ctx, audit.DropState, nil, "a client's session variables were dropped")
	}
	*vars = nil
}
