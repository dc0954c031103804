package nakamabridge

import (
	"context"
	"database/sql"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// Factory makes a match handler, as runtime.Initializer's RegisterMatch takes it.
type Factory = func(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule,
) (runtime.Match, error)

// Match wraps the match handlers that a Factory makes; the package comment describes what changes
// for them.
func (b *Bridge) Match(factory Factory) Factory {
	return func(ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule) (runtime.Match, error) {
		inner, err := factory(ctx, logger, db, nk)
		if err != nil || inner == nil {
			return inner, err
		}
		m := &match{bridge: b, inner: inner}
		m.seats.init()
		m.inbox = inbox{limit: b.config.Queue, live: make(map[*member]struct{})}
		m.dispatcher.match = m
		return m, nil
	}
}

// match is a runtime.Match. Nakama calls it from one goroutine.
type match struct {
	bridge   *Bridge       // constant
	inner    runtime.Match // the game's; constant
	id, node string        // constant after MatchInit

	inbox      inbox
	seats      seats
	dispatcher dispatcher
	slow, full rarely // players put out for being slow, and inputs dropped, as logged

	// Of the goroutine that Nakama calls from.
	module   *module // nk for the game
	shutdown bool    // MatchTerminate has been called
}

// call holds the arguments that Nakama passes to every call of a match.
type call struct {
	ctx        context.Context
	logger     runtime.Logger
	db         *sql.DB
	nk         runtime.NakamaModule
	dispatcher runtime.MatchDispatcher
	tick       int64
}

// MatchInit implements runtime.Match.
func (m *match) MatchInit(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, params map[string]any,
) (any, int, string) {
	m.id, m.node = text(ctx, runtime.RUNTIME_CTX_MATCH_ID), text(ctx, runtime.RUNTIME_CTX_MATCH_NODE)
	state, rate, label := m.inner.MatchInit(ctx, logger, db, m.runtime(nk), params)
	if state != nil {
		m.bridge.open(ctx, m)
	}
	return state, rate, label
}

// MatchJoinAttempt implements runtime.Match.
func (m *match) MatchJoinAttempt(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher,
	tick int64, state any, presence runtime.Presence, metadata map[string]string,
) (any, bool, string) {
	state, allow, reason := m.inner.MatchJoinAttempt(ctx, logger, db, m.runtime(nk), m.wrap(d), tick, state, presence, metadata)
	return m.done(state), allow, reason
}

// MatchJoin implements runtime.Match.
func (m *match) MatchJoin(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher,
	tick int64, state any, presences []runtime.Presence,
) any {
	for _, p := range presences {
		m.seats.sit(p)
	}
	return m.done(m.inner.MatchJoin(ctx, logger, db, m.runtime(nk), m.wrap(d), tick, state, presences))
}

// MatchLeave implements runtime.Match.
func (m *match) MatchLeave(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher,
	tick int64, state any, presences []runtime.Presence,
) any {
	for _, p := range presences {
		m.seats.rise(p.GetSessionId(), session.ReasonLeft)
	}
	return m.done(m.inner.MatchLeave(ctx, logger, db, m.runtime(nk), m.wrap(d), tick, state, presences))
}

// MatchLoop implements runtime.Match. It takes all UDP inputs since the last tick at once, so that
// no flood delays this one, and sends the game's deferred messages together at the end.
func (m *match) MatchLoop(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher,
	tick int64, state any, messages []runtime.MatchData,
) any {
	c := call{ctx, logger, db, m.runtime(nk), m.wrap(d), tick}
	arrived := m.inbox.take()
	m.reportRefused(arrived.refused)
	m.seats.expire()
	if state = m.expel(c, state); state != nil { // whom another call or goroutine has kicked since the last tick
		state = m.admit(c, state, arrived.joins)
	}
	if state != nil {
		state = m.inner.MatchLoop(ctx, logger, db, c.nk, c.dispatcher, tick, state, m.merge(messages, arrived))
	}
	if state != nil {
		m.dispatcher.flush()
		state = m.expel(c, state)
	}
	if state != nil {
		state = m.dismiss(c, state, arrived.leaves)
	}
	return m.done(state)
}

// MatchTerminate implements runtime.Match. With a grace period the match goes on, and so does UDP.
func (m *match) MatchTerminate(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher,
	tick int64, state any, graceSeconds int,
) any {
	m.shutdown = true
	state = m.done(m.inner.MatchTerminate(ctx, logger, db, m.runtime(nk), m.wrap(d), tick, state, graceSeconds))
	if graceSeconds <= 0 {
		m.end()
	}
	return state
}

// MatchSignal implements runtime.Match.
func (m *match) MatchSignal(
	ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, d runtime.MatchDispatcher,
	tick int64, state any, data string,
) (any, string) {
	state, answer := m.inner.MatchSignal(ctx, logger, db, m.runtime(nk), m.wrap(d), tick, state, data)
	return m.done(state), answer
}

// wrap is the dispatcher for the game.
func (m *match) wrap(d runtime.MatchDispatcher) runtime.MatchDispatcher {
	m.dispatcher.use(d)
	return &m.dispatcher
}

// done ends a call: it sends the deferred messages. A nil state means that the match is over.
func (m *match) done(state any) any {
	m.dispatcher.flush()
	if state == nil {
		m.end()
	}
	return state
}

// end sends the UDP players of a match that has ended away.
func (m *match) end() {
	m.bridge.retire(m)
	if m.shutdown {
		m.inbox.disband(session.ReasonShutdown)
	} else {
		m.inbox.disband(session.ReasonLeft, matchOver)
	}
}

// runtime is the NakamaModule for the game. Nakama passes the same one to all calls of a match.
func (m *match) runtime(nk runtime.NakamaModule) runtime.NakamaModule {
	if nk == nil {
		return nil
	}
	if m.module == nil {
		m.module = &module{nk, m.bridge}
	}
	return m.module
}
