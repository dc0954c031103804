package nakamabridge

import (
	"context"
	"database/sql"

	"github.com/heroiclabs/nakama-common/runtime"
)

// ConnectRPC is the id under which Register registers Connect.
const ConnectRPC = "sallyport_connect"

// before is a hook that Nakama calls before it acts on a client's request.
type before[T any] = func(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, in T,
) (T, error)

// Option is a choice for Register: DenyOthers and VerifyRefresh are some.
type Option func(*Bridge, runtime.Initializer) error

// Register registers the sign-in hooks and the RPC, and applies the options. It replaces hooks that
// were registered before.
func (b *Bridge) Register(in runtime.Initializer, options ...Option) error {
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
