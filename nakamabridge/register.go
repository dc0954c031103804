package nakamabridge

import (
	"context"
	"database/sql"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"
)

// ConnectRPC is the id under which Register registers Connect.
const ConnectRPC = "sallyport_connect"

// before is a hook that Nakama calls before it acts on a client's request.
type before[T any] = func(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, in T,
) (T, error)

// afterSignIn and afterLogout are hooks that Nakama calls after it has acted.
type (
	afterSignIn = func(
		ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule,
		out *api.Session, in *api.AuthenticateCustomRequest,
	) error
	afterLogout = func(
		ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, in *api.SessionLogoutRequest,
	) error
)

// rpc is a function that clients call by its id.
type rpc = func(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, payload string,
) (string, error)

// Initializer is the part of runtime.Initializer that Register uses.
type Initializer interface {
	signIns
	links
	sessions
	otherSignIns
	otherLinks
}

type signIns interface {
	RegisterBeforeAuthenticateCustom(before[*api.AuthenticateCustomRequest]) error
	RegisterAfterAuthenticateCustom(afterSignIn) error
}

type links interface {
	RegisterBeforeLinkCustom(before[*api.AccountCustom]) error
	RegisterBeforeUnlinkCustom(before[*api.AccountCustom]) error
}

type sessions interface {
	RegisterBeforeSessionRefresh(before[*api.SessionRefreshRequest]) error
	RegisterAfterSessionLogout(afterLogout) error
	RegisterRpc(id string, fn rpc) error
}

// Option is a choice for Register: DenyOthers is one.
type Option func(*Bridge, Initializer) error

// Register registers the sign-in hooks and the RPC, and applies the options. It replaces hooks that
// were registered before.
func (b *Bridge) Register(in Initializer, options ...Option) error {
	err := first(
		in.RegisterBeforeAuthenticateCustom(b.BeforeAuthenticateCustom),
		in.RegisterAfterAuthenticateCustom(b.AfterAuthenticateCustom),
		in.RegisterBeforeLinkCustom(b.BeforeLinkCustom),
		in.RegisterBeforeUnlinkCustom(b.BeforeUnlinkCustom),
		in.RegisterBeforeSessionRefresh(b.BeforeSessionRefresh),
		in.RegisterAfterSessionLogout(b.AfterSessionLogout),
		in.RegisterRpc(ConnectRPC, b.Connect),
	)
	for _, option := range options {
		if err == nil {
			err = option(b, in)
		}
	}
	return err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
