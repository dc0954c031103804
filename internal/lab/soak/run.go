package soak

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/lateness"
	"github.com/sallyport/sallyport/internal/lab/tally"
)

// run is one soak.
type run struct {
	config  Config          // constant
	match   Match           // constant
	ctx     context.Context // done when interrupted; constant
	began   time.Time       // constant; times on the wire are since then
	dialing chan struct{}   // as many as may dial at once
	start   chan struct{}   // closed when all have been answered: play begins
	playing context.Context // done when play is over; set before start is closed
	played  time.Time       // when play began; likewise

	// How long this process was not woken, by the stall, between two moments. Constant.
	late func(from, to time.Time) time.Duration

	live, connected              atomic.Int64
	sent, received               atomic.Uint64
	dropped, missed, lost, twice atomic.Uint64
	expected, renewals, rejoined atomic.Uint64
	turned, strangers            atomic.Uint64 // players who went on; who came back as somebody else
	arrived                      atomic.Uint64 // who came to another process
	lostPaths, tickets           atomic.Uint64 // how often a client has given up its path; and has gone on by ticket
	rtt                          histogram
	pauses                       pauses
	lanes                        [arena.NumLanes]laneSums

	rejected tally.Counter // who was not let in, by reason
	drained  tally.Counter // who has resumed where a server that drains has sent it, by address
	closed   tally.Counter // sessions that ended early, by reason
	broken   tally.Counter // promises of lanes
	behind   tally.Counter // who did not go on, and what the client has seen since

	// What the server has on record, for runs in which something happens. Set when all players have left.
	evidence evidence
}

// Run plays, until it is over or ctx is done, and reports.
func Run(ctx context.Context, config Config, match Match) *Report {
	watch := lateness.Watch{Least: stall}
	r := &run{
		config: config, match: match, ctx: ctx, began: time.Now(), late: watch.Within,
		dialing: make(chan struct{}, dialsAtOnce), start: make(chan struct{}),
	}
	stop := r.showProgress()
	var answered, players, watching sync.WaitGroup
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	watching.Go(func() { watch.Run(watched) })
	answered.Add(config.Players)
	before := r.stats()
	for i := range config.Players {
		players.Go(func() { newPlayer(r, i).play(answered.Done) })
	}
	answered.Wait()
	loaded := r.stats()
	playing, cancel := context.WithTimeout(ctx, config.Duration)
	defer cancel()
	r.playing, r.played = playing, time.Now()
	close(r.start)
	if config.Replace {
		players.Go(r.replace)
	}
	players.Wait()
	unwatch()
	watching.Wait()
	stop()
	r.collect()
	return r.report(before, loaded, r.stats())
}

// stats asks the server; nil if it cannot be asked or does not answer. An interrupt does not cut the question short.
func (r *run) stats() *gameserver.Stats {
	if r.match.Stats == nil {
		return nil
	}
	s, err := r.match.Stats(context.WithoutCancel(r.ctx))
	if err != nil {
		return nil
	}
	return &s
}
