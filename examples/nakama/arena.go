package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"

	"github.com/heroiclabs/nakama-common/runtime"
)

// Op codes of the arena.
const (
	opMove  = 1 // from a player, unreliable: two signed bytes, the step east and the step north
	opWorld = 2 // to everybody, unreliable, each tick: the world as JSON
	opSay   = 3 // from a player and on to everybody, reliable: text
)

const (
	tickRate   = 30            // a second
	maxPlayers = 8             // whose world fits one datagram
	emptyTicks = 60 * tickRate // without players, after which a match ends: Nakama ends none by itself
)

// arena is a match handler as any other: nothing in it knows by which way an input came or a broadcast goes.
type arena struct{}

func newArena(context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule) (runtime.Match, error) {
	return arena{}, nil
}

// MatchInit returns an empty world.
func (arena) MatchInit(
	context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule, map[string]any,
) (any, int, string) {
	return &world{players: make(map[string]*player)}, tickRate, matchName
}

// MatchJoinAttempt admits players while there is room.
func (arena) MatchJoinAttempt(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, _ runtime.Presence, _ map[string]string,
) (any, bool, string) {
	w := state.(*world)
	return w, w.room(), "the arena is full"
}

// MatchJoin puts newcomers in the middle.
func (arena) MatchJoin(
	_ context.Context, logger runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, presences []runtime.Presence,
) any {
	w := state.(*world)
	for _, p := range presences {
		w.players[p.GetSessionId()] = &player{User: p.GetUserId()}
		logger.Info("%s has joined", p.GetUsername())
	}
	return w
}

// MatchLeave takes players out of the world.
func (arena) MatchLeave(
	_ context.Context, logger runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, presences []runtime.Presence,
) any {
	w := state.(*world)
	for _, p := range presences {
		delete(w.players, p.GetSessionId())
		logger.Info("%s has left", p.GetUsername())
	}
	return w
}

// MatchLoop takes the inputs of one tick and shows everybody the world, until it has been empty for a while.
func (arena) MatchLoop(
	_ context.Context, logger runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	dispatcher runtime.MatchDispatcher, _ int64, state any, messages []runtime.MatchData,
) any {
	w := state.(*world)
	if w.over() {
		return nil
	}
	for _, m := range messages {
		switch m.GetOpCode() {
		case opMove:
			w.move(m.GetSessionId(), m.GetData())
		case opSay:
			report(logger, dispatcher.BroadcastMessage(opSay, m.GetData(), nil, m, true))
		}
	}
	report(logger, dispatcher.BroadcastMessage(opWorld, w.encode(), nil, nil, false))
	return w
}

// MatchTerminate has nothing to save.
func (arena) MatchTerminate(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, _ int,
) any {
	return state
}

// MatchSignal answers whether there is room.
func (arena) MatchSignal(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule,
	_ runtime.MatchDispatcher, _ int64, state any, _ string,
) (any, string) {
	w := state.(*world)
	return w, strconv.FormatBool(w.room())
}

func report(logger runtime.Logger, err error) {
	if err != nil {
		logger.Error("broadcast: %v", err)
	}
}

// world is the state of one match. It belongs to the match's goroutine.
type world struct {
	players map[string]*player // by session id
	empty   int                // ticks in a row
}

type player struct {
	User string `json:"user"`
	X    int    `json:"x"`
	Y    int    `json:"y"`
}

func (w *world) room() bool { return len(w.players) < maxPlayers }

// over counts a tick and says whether the match may end.
func (w *world) over() bool {
	w.empty++
	if len(w.players) > 0 {
		w.empty = 0
	}
	return w.empty > emptyTicks
}

// move takes one step. It ignores malformed steps, and senders who are no players.
func (w *world) move(session string, step []byte) {
	p, ok := w.players[session]
	if !ok || len(step) != 2 {
		return
	}
	p.X += int(int8(step[0]))
	p.Y += int(int8(step[1]))
}

func (w *world) encode() []byte {
	all := make([]*player, 0, len(w.players))
	for _, p := range w.players {
		all = append(all, p)
	}
	b, _ := json.Marshal(all) // cannot fail: strings and integers
	return b
}
