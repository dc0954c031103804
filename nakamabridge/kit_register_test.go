package nakamabridge

//lint:file-ignore ST1003 The names of methods are Nakama's.

import (
	"context"

	"github.com/heroiclabs/nakama-common/api"
)

func (n *nakama) RegisterBeforeAuthenticateCustom(f before[*api.AuthenticateCustomRequest]) error {
	n.authenticate = f
	return nil
}

func (n *nakama) RegisterAfterAuthenticateCustom(f afterSignIn) error {
	n.signedIn = f
	return nil
}

func (n *nakama) RegisterBeforeSessionRefresh(f before[*api.SessionRefreshRequest]) error {
	n.refresh = f
	return nil
}

func (n *nakama) RegisterAfterSessionLogout(f afterLogout) error {
	n.loggedOut = f
	return nil
}

func (n *nakama) RegisterBeforeLinkCustom(f before[*api.AccountCustom]) error {
	n.link = f
	return nil
}

func (n *nakama) RegisterBeforeUnlinkCustom(f before[*api.AccountCustom]) error {
	n.unlink = f
	return nil
}

func (n *nakama) RegisterRpc(id string, f rpc) error {
	n.rpcs[id] = f
	return nil
}

// other keeps a hook of a way in that the bridge does not serve.
func other[T any](n *nakama, name string, f before[T]) error {
	n.others[name] = func(ctx context.Context) error {
		var in T
		_, err := f(ctx, nil, nil, nil, in)
		return err
	}
	return nil
}

func (n *nakama) RegisterBeforeAuthenticateApple(f before[*api.AuthenticateAppleRequest]) error {
	return other(n, "AuthenticateApple", f)
}

func (n *nakama) RegisterBeforeAuthenticateDevice(f before[*api.AuthenticateDeviceRequest]) error {
	return other(n, "AuthenticateDevice", f)
}

func (n *nakama) RegisterBeforeAuthenticateEmail(f before[*api.AuthenticateEmailRequest]) error {
	return other(n, "AuthenticateEmail", f)
}

func (n *nakama) RegisterBeforeAuthenticateFacebook(f before[*api.AuthenticateFacebookRequest]) error {
	return other(n, "AuthenticateFacebook", f)
}

func (n *nakama) RegisterBeforeAuthenticateFacebookInstantGame(f before[*api.AuthenticateFacebookInstantGameRequest]) error {
	return other(n, "AuthenticateFacebookInstantGame", f)
}

func (n *nakama) RegisterBeforeAuthenticateGameCenter(f before[*api.AuthenticateGameCenterRequest]) error {
	return other(n, "AuthenticateGameCenter", f)
}

func (n *nakama) RegisterBeforeAuthenticateGoogle(f before[*api.AuthenticateGoogleRequest]) error {
	return other(n, "AuthenticateGoogle", f)
}

func (n *nakama) RegisterBeforeAuthenticateSteam(f before[*api.AuthenticateSteamRequest]) error {
	return other(n, "AuthenticateSteam", f)
}

func (n *nakama) RegisterBeforeLinkApple(f before[*api.AccountApple]) error {
	return other(n, "LinkApple", f)
}

func (n *nakama) RegisterBeforeLinkDevice(f before[*api.AccountDevice]) error {
	return other(n, "LinkDevice", f)
}

func (n *nakama) RegisterBeforeLinkEmail(f before[*api.AccountEmail]) error {
	return other(n, "LinkEmail", f)
}

func (n *nakama) RegisterBeforeLinkFacebook(f before[*api.LinkFacebookRequest]) error {
	return other(n, "LinkFacebook", f)
}

func (n *nakama) RegisterBeforeLinkFacebookInstantGame(f before[*api.AccountFacebookInstantGame]) error {
	return other(n, "LinkFacebookInstantGame", f)
}

func (n *nakama) RegisterBeforeLinkGameCenter(f before[*api.AccountGameCenter]) error {
	return other(n, "LinkGameCenter", f)
}

func (n *nakama) RegisterBeforeLinkGoogle(f before[*api.AccountGoogle]) error {
	return other(n, "LinkGoogle", f)
}

func (n *nakama) RegisterBeforeLinkSteam(f before[*api.LinkSteamRequest]) error {
	return other(n, "LinkSteam", f)
}
