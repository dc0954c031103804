package main

import (
	"context"
	"database/sql"
	"sync"

	"github.com/heroiclabs/nakama-common/runtime"
)

// Names under which Nakama knows the match handler, and clients the RPC that finds a match.
const (
	matchName = "arena"
	findName  = "arena_find"
)

// finder is an RPC: it answers with the id of a match that has room, which it makes if there is none.
type finder struct {
	mu sync.Mutex // held while a match is made, so that two who come at once find the same one
	// +checklocks:mu
	match string
}

func (f *finder) find(
	ctx context.Context, logger runtime.Logger, _ *sql.DB, nk runtime.NakamaModule, _ string,
) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if room, err := nk.MatchSignal(ctx, f.match, ""); err == nil && room == "true" {
		return f.match, nil // Nakama's own count of players leaves out those who have only UDP
	}
	id, err := nk.MatchCreate(ctx, matchName, nil)
	if err != nil {
		logger.Error("no match: %v", err)
		return "", runtime.NewError("no match to be had", unavailable)
	}
	f.match = id
	return id, nil
}

// unavailable is the gRPC code that tells a client to try again.
const unavailable = 14
