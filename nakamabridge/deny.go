package nakamabridge

import (
	"context"
	"database/sql"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
)

// DenyOthers is an Option that leaves the identity token as the only way in: every other
// authenticate method, and every other link that would make one, is refused with code 7. It does
// not reach console users and calls with the server's http_key.
func DenyOthers(b *Bridge, in runtime.Initializer) error {
	return first(
		in.RegisterBeforeAuthenticateApple(deny[*api.AuthenticateAppleRequest](b)),
		in.RegisterBeforeAuthenticateDevice(deny[*api.AuthenticateDeviceRequest](b)),
		in.RegisterBeforeAuthenticateEmail(deny[*api.AuthenticateEmailRequest](b)),
		in.RegisterBeforeAuthenticateFacebook(deny[*api.AuthenticateFacebookRequest](b)),
		in.RegisterBeforeAuthenticateFacebookInstantGame(deny[*api.AuthenticateFacebookInstantGameRequest](b)),
		in.RegisterBeforeAuthenticateGameCenter(deny[*api.AuthenticateGameCenterRequest](b)),
		in.RegisterBeforeAuthenticateGoogle(deny[*api.AuthenticateGoogleRequest](b)),
		in.RegisterBeforeAuthenticateSteam(deny[*api.AuthenticateSteamRequest](b)),
		in.RegisterBeforeLinkApple(deny[*api.AccountApple](b)),
		in.RegisterBeforeLinkDevice(deny[*api.AccountDevice](b)),
		in.RegisterBeforeLinkEmail(deny[*api.AccountEmail](b)),
		in.RegisterBeforeLinkFacebook(deny[*api.LinkFacebookRequest](b)),
		in.RegisterBeforeLinkFacebookInstantGame(deny[*api.AccountFacebookInstantGame](b)),
		in.RegisterBeforeLinkGameCenter(deny[*api.AccountGameCenter](b)),
		in.RegisterBeforeLinkGoogle(deny[*api.AccountGoogle](b)),
		in.RegisterBeforeLinkSteam(deny[*api.LinkSteamRequest](b)),
	)
}

// deny is a hook that refuses.
func deny[T any](b *Bridge) before[T] {
	return func(ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ T) (none T, err error) {
		defer b.guard("deny", &err)
		b.reject(ctx, audit.DropState, nil, "another way in was denied")
		return none, errDenied
	}
}
