// Package main is a Nakama runtime plugin: players sign in with Amazon Cognito and play a match over UDP, whose handler
// is one as Nakama's documentation shows it.
//
//	plugin.go    InitModule: what is registered, and in which order
//	settings.go  what the operator says, in Nakama's runtime environment
//	find.go      the RPC by which a client finds a match
//	arena.go     the match handler, which knows nothing of UDP
//
// README.md has the commands.
package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/nakamabridge"
	"github.com/sallyport/sallyport/token"
)

const (
	// hydrateTime is how long the start waits for the user pool's keys. Without them the first sign-in fetches them.
	hydrateTime = 5 * time.Second

	// banInterval is how soon after a ban a player who has only UDP is out. Sockets, and what hangs on them, end at once.
	banInterval = 5 * time.Second
)

// InitModule is what Nakama calls when it has loaded the plugin. An error ends the server. ctx is done when it stops.
func InitModule(
	ctx context.Context, logger runtime.Logger, _ *sql.DB, nk runtime.NakamaModule, initializer runtime.Initializer,
) error {
	s := settingsOf(ctx)
	verifier, err := signIn(ctx, logger, s)
	if err != nil {
		return err
	}
	bridge, err := nakamabridge.New(ctx, nakamabridge.Config{
		Verifier: verifier, Accounts: nk, Logger: logger,
		Address: s.address, Public: s.public,
		VirtualPlayers: maxPlayers, BanInterval: banInterval,
	})
	if err != nil {
		return err
	}
	return register(initializer, bridge)
}

// signIn returns what judges the user pool's tokens, until ctx is done.
func signIn(ctx context.Context, logger runtime.Logger, s settings) (*token.Verifier, error) {
	pool, err := token.NewCognito(s.pool)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { pool.Close() }) //nolint:errcheck // always nil
	hydrate, cancel := context.WithTimeout(ctx, hydrateTime)
	defer cancel()
	if err := pool.Hydrate(hydrate); err != nil {
		logger.Warn("no keys of the user pool yet: %v", err)
	}
	return token.NewVerifier(pool.Profiles()...)
}

// register registers the hooks first: a server that could not would let players in by other ways.
func register(initializer runtime.Initializer, bridge *nakamabridge.Bridge) error {
	if err := bridge.Register(initializer, nakamabridge.DenyOthers); err != nil {
		return err
	}
	if err := initializer.RegisterRpc(findName, new(finder).find); err != nil {
		return err
	}
	return initializer.RegisterMatch(matchName, bridge.Match(newArena))
}
