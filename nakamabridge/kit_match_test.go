package nakamabridge

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/heroiclabs/nakama-common/runtime"
)

// arena is a match handler as a game developer writes it: it knows nothing of UDP.
type arena struct {
	log     []string // what it saw
	players map[string]runtime.Presence
	refuse  string // the username that may not join
	reason  string // what it is told
	over    string // the call, as in log, that ends the match by returning no state

	asked    context.Context // of the last MatchJoinAttempt, as metadata
	metadata map[string]string

	nk   runtime.NakamaModule                                          // of the last tick
	loop func(d runtime.MatchDispatcher, messages []runtime.MatchData) // may be nil
}

func (a *arena) saw(format string, v ...any) any {
	line := fmt.Sprintf(format, v...)
	a.log = append(a.log, line)
	if a.over != "" && line == a.over {
		return nil
	}
	return a
}

func (a *arena) MatchInit(context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule, map[string]any) (any, int, string) {
	a.players = map[string]runtime.Presence{}
	return a.saw("init"), 30, "arena"
}

func (a *arena) MatchJoinAttempt(ctx context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ runtime.MatchDispatcher, _ int64, _ any, p runtime.Presence, metadata map[string]string) (any, bool, string) {
	a.asked = ctx
	same := ctx.Value(runtime.RUNTIME_CTX_USER_ID) == p.GetUserId() && ctx.Value(runtime.RUNTIME_CTX_USERNAME) == p.GetUsername() &&
		ctx.Value(runtime.RUNTIME_CTX_SESSION_ID) == p.GetSessionId()
	a.metadata = metadata
	return a.saw("attempt %s %v %s", p.GetUsername(), same, metadata["transport"]), p.GetUsername() != a.refuse, a.reason
}

func (a *arena) MatchJoin(_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ runtime.MatchDispatcher, _ int64, _ any, presences []runtime.Presence) (state any) {
	for _, p := range presences {
		a.players[p.GetSessionId()] = p
		state = a.saw("join %s", p.GetUsername())
	}
	return state
}

func (a *arena) MatchLeave(_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ runtime.MatchDispatcher, _ int64, _ any, presences []runtime.Presence) (state any) {
	for _, p := range presences {
		delete(a.players, p.GetSessionId())
		state = a.saw("leave %s %d", p.GetUsername(), p.GetReason())
	}
	return state
}

func (a *arena) MatchLoop(_ context.Context, _ runtime.Logger, _ *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher, _ int64, _ any, messages []runtime.MatchData) any {
	var state any = a
	a.nk = nk
	for _, m := range messages {
		state = a.saw("data %s %d %q %v", m.GetUsername(), m.GetOpCode(), m.GetData(), m.GetReliable())
	}
	if a.loop != nil {
		a.loop(d, messages)
	}
	return state
}

func (a *arena) MatchTerminate(context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule, runtime.MatchDispatcher, int64, any, int) any {
	return a.saw("terminate")
}

func (a *arena) MatchSignal(_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ runtime.MatchDispatcher, _ int64, _ any, data string) (any, string) {
	return a.saw("signal %s", data), "answer"
}

// stage drives a match as Nakama does: one call at a time, and a list of the sockets' presences.
type stage struct {
	match   runtime.Match
	arena   *arena
	ctx     context.Context
	cancel  context.CancelFunc // the match stops
	id      string
	state   any
	tick    int64
	sockets map[string]runtime.Presence
	sent    []string // what the sockets got: "username op data"
	kicked  []string
	nk      runtime.NakamaModule // may be nil
}

// newStage makes a match through the bridge.
func newStage(ctx context.Context, b *Bridge) *stage {
	s := &stage{arena: &arena{}, id: newUUID() + ".node1", sockets: map[string]runtime.Presence{}}
	ctx, s.cancel = context.WithCancel(ctx)
	s.ctx = with(with(ctx, runtime.RUNTIME_CTX_MATCH_ID, s.id), runtime.RUNTIME_CTX_MATCH_NODE, "node1")
	factory := b.Match(func(context.Context, runtime.Logger, *sql.DB, runtime.NakamaModule) (runtime.Match, error) {
		return s.arena, nil
	})
	s.match, _ = factory(s.ctx, nil, nil, nil)
	s.state, _, _ = s.match.MatchInit(s.ctx, nil, nil, nil, nil)
	return s
}

// join is match_join on a socket; it returns the presence.
func (s *stage) join(l *login) runtime.Presence {
	p := &virtual{UserID: l.userID, SessionID: newUUID(), Node: "node1", Username: l.username}
	ctx := with(with(l.context(s.ctx), runtime.RUNTIME_CTX_SESSION_ID, p.SessionID), runtime.RUNTIME_CTX_USER_SESSION_EXP, int64(0))
	var allow bool
	if s.state, allow, _ = s.match.MatchJoinAttempt(ctx, nil, nil, s.nk, s, s.tick, s.state, p, nil); allow && s.state != nil {
		s.enter(p)
	}
	return p
}

// enter is the part of a join that Nakama does some time after the attempt.
func (s *stage) enter(p runtime.Presence) {
	s.sockets[p.GetSessionId()] = p
	s.state = s.match.MatchJoin(s.ctx, nil, nil, s.nk, s, s.tick, s.state, []runtime.Presence{p})
}

// leave is the end of a socket.
func (s *stage) leave(p runtime.Presence) {
	delete(s.sockets, p.GetSessionId())
	gone := *p.(*virtual)
	gone.Reason = runtime.PresenceReasonDisconnect
	s.state = s.match.MatchLeave(s.ctx, nil, nil, s.nk, s, s.tick, s.state, []runtime.Presence{&gone})
}

// loop is one tick.
func (s *stage) loop(messages ...runtime.MatchData) {
	s.tick++
	s.state = s.match.MatchLoop(s.ctx, nil, nil, s.nk, s, s.tick, s.state, messages)
}

// BroadcastMessage is Nakama's: nil means everybody, who is not in the match is left out silently.
func (s *stage) BroadcastMessage(op int64, data []byte, presences []runtime.Presence, _ runtime.Presence, _ bool) error {
	if presences == nil {
		presences = slices.Collect(maps.Values(s.sockets))
	}
	for _, p := range presences {
		if s.sockets[p.GetSessionId()] != nil {
			s.sent = append(s.sent, fmt.Sprintf("%s %d %s", p.GetUsername(), op, data))
		}
	}
	slices.Sort(s.sent)
	return nil
}

func (s *stage) BroadcastMessageDeferred(op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool) error {
	return s.BroadcastMessage(op, data, presences, sender, reliable)
}

func (s *stage) MatchKick(presences []runtime.Presence) error {
	for _, p := range presences {
		s.kicked = append(s.kicked, p.GetUsername())
	}
	return nil
}

func (s *stage) MatchLabelUpdate(string) error { return nil }
