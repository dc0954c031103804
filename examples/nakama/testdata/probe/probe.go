// Package main is a plugin for tests alone: a match whose handler does what public handlers do, for
// players by socket and by UDP, and tells them what it has seen.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/nakamabridge"
	"github.com/sallyport/sallyport/token"
)

// Op codes. Players send the first seven as commands.
const (
	opEcho       = 1 // answers with the message as JSON
	opKick       = 2 // tells the player, kicks it, and tells it again
	opDisconnect = 3 // ends the player's session by nk.SessionDisconnect
	opLater      = 4 // answers from another goroutine, after the tick
	opEnd        = 5 // tells everybody, and ends the match
	opHuge       = 6 // answers with more than a datagram
	opLong       = 7 // sends everybody 20 messages of 6 KB, and a short one behind each

	opSeen = 10 // to everybody: a join or leave as JSON
)

// InitModule is what Nakama calls.
func InitModule(
	ctx context.Context, logger runtime.Logger, _ *sql.DB, nk runtime.NakamaModule, initializer runtime.Initializer,
) error {
	env, _ := ctx.Value(runtime.RUNTIME_CTX_ENV).(map[string]string)
	pool, err := token.NewCognito(token.CognitoConfig{
		Pool: env["COGNITO_USER_POOL_ID"], Clients: []string{env["COGNITO_CLIENT_IDS"]}, Endpoint: env["COGNITO_ENDPOINT"],
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { pool.Close() })
	verifier, err := token.NewVerifier(pool.Profiles()...)
	if err != nil {
		return err
	}
	bridge, err := nakamabridge.New(ctx, nakamabridge.Config{
		Verifier: verifier, Accounts: nk, Logger: logger, Address: env["SALLYPORT_ADDRESS"], VirtualPlayers: 10,
	})
	if err != nil {
		return err
	}
	if err := bridge.Register(initializer, nakamabridge.DenyOthers, nakamabridge.VerifyRefresh); err != nil {
		return err
	}
	for name, factory := range map[string]nakamabridge.Factory{"probe": bridge.Match(newProbe), "bare": newProbe} {
		if err := initializer.RegisterMatch(name, factory); err != nil {
			return err
		}
	}
	module := bridge.Module(nk)
	return initializer.RegisterRpc("probe", func(
		ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, payload string,
	) (string, error) {
		if payload == "logout" {
			user, _ := ctx.Value(runtime.RUNTIME_CTX_USER_ID).(string)
			return "", module.SessionLogout(user, "", "")
		}
		return module.MatchCreate(ctx, payload, nil)
	})
}

// probe is the match handler, and its state.
type probe struct{}

func newProbe(context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule) (runtime.Match, error) {
	return probe{}, nil
}

// seen is what the players are told of a call.
type seen struct {
	Call      string
	Presences []runtime.Presence
}

func tell(d runtime.MatchDispatcher, call string, presences []runtime.Presence) {
	b, err := json.Marshal(seen{call, presences})
	if err == nil {
		_ = d.BroadcastMessage(opSeen, b, nil, nil, true)
	}
}

// MatchInit implements runtime.Match.
func (p probe) MatchInit(
	context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule, map[string]any,
) (any, int, string) {
	return p, 30, ""
}

// MatchJoinAttempt refuses a player whose deck is bad.
func (p probe) MatchJoinAttempt(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, _ runtime.Presence, metadata map[string]string,
) (any, bool, string) {
	return state, metadata["deck"] != "bad", "Invalid deck"
}

// MatchJoin implements runtime.Match.
func (p probe) MatchJoin(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	d runtime.MatchDispatcher, _ int64, state any, presences []runtime.Presence,
) any {
	tell(d, "join", presences)
	return state
}

// MatchLeave implements runtime.Match.
func (p probe) MatchLeave(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	d runtime.MatchDispatcher, _ int64, state any, presences []runtime.Presence,
) any {
	tell(d, "leave", presences)
	return state
}

// MatchLoop does what the players ask for.
func (p probe) MatchLoop(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, nk runtime.NakamaModule,
	d runtime.MatchDispatcher, _ int64, state any, messages []runtime.MatchData,
) any {
	for _, m := range messages {
		op := m.GetOpCode()
		answer := func(text string) { _ = d.BroadcastMessage(op, []byte(text), []runtime.Presence{m}, nil, true) }
		switch op {
		case opEcho:
			b, _ := json.Marshal(m)
			answer(string(b))
		case opKick:
			answer("you are kicked")
			_ = d.MatchKick([]runtime.Presence{m})
			answer("too late")
		case opDisconnect:
			_ = nk.SessionDisconnect(ctx, m.GetSessionId())
		case opLater:
			time.AfterFunc(5*time.Millisecond, func() { answer("later") })
		case opEnd:
			_ = d.BroadcastMessageDeferred(opEnd, []byte("the end"), nil, nil, true)
			return nil
		case opHuge:
			answer(string(make([]byte, 4096)))
			answer("after it")
		case opLong:
			for i := range 20 {
				_ = d.BroadcastMessage(opLong, fmt.Appendf(nil, "%02d%s", i, strings.Repeat("x", 6142)), nil, nil, true)
				_ = d.BroadcastMessage(opLong, fmt.Appendf(nil, "%02d", i), nil, nil, true)
			}
		}
	}
	return state
}

// MatchTerminate implements runtime.Match.
func (p probe) MatchTerminate(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, _ int,
) any {
	return state
}

// MatchSignal implements runtime.Match.
func (p probe) MatchSignal(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, _ string,
) (any, string) {
	return state, ""
}
