package attack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/lab/soak"
)

// Config describes the attack and the honest players beside it.
type Config struct {
	Attack string      // one of Names
	Honest soak.Config // the honest players
}

// attacks are the scenes of each; certificates reports whether tokens can be bound to one.
var attacks = map[string]func(certificates bool) []scene{
	"stolen-token":     func(bool) []scene { return stolenToken() },
	"replay":           func(bool) []scene { return replay() },
	"bot":              func(bool) []scene { return bot() },
	"crowd":            func(bool) []scene { return crowd() },
	"flip-fingerprint": flipFingerprint,
	"forged-tag":       func(bool) []scene { return forgedTag() },
	"lanes":            func(bool) []scene { return onLanes() },
	"stall":            func(bool) []scene { return stall() },
}

// Names are the attacks there are, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(attacks)) }

// Run attacks while honest players play, until both are done or ctx is, and reports. Config.Attack must be one of Names,
// and target must have Mint and Stats, and for "stall" Hang.
func Run(ctx context.Context, config Config, target soak.Match) *Report {
	began := time.Now()
	if config.Attack == "stall" {
		config.Honest.Hang = hangTime
		config.Honest.Duration = max(config.Honest.Duration, hangTime+2*aroundHang)
	}
	s := &stage{ctx: ctx, target: &target}
	crowd := target
	crowd.Stats = nil // what the attackers are dropped for is not held against the honest
	players := make(chan *soak.Report, 1)
	waiting := s.handshakes() + uint64(config.Honest.Players)
	go func() { players <- soak.Run(ctx, config.Honest, crowd) }()
	for deadline := began.Add(joinTime); s.handshakes() < waiting && ctx.Err() == nil && time.Now().Before(deadline); {
		time.Sleep(pollTime)
	}
	r := &Report{Attack: config.Attack, Rows: []Row{}, Failures: []string{}}
	for _, sc := range attacks[config.Attack](target.Trail != nil) {
		if ctx.Err() == nil {
			r.Rows = append(r.Rows, s.perform(sc))
		}
	}
	r.Honest = <-players
	r.judge(ctx.Err() != nil)
	r.elapsed = time.Since(began)
	return r
}

// handshakes is how many the server has completed, which tells better than its sessions that newcomers are in; none if it
// does not answer.
func (s *stage) handshakes() uint64 {
	stats, err := s.stats()
	if err != nil {
		return 0
	}
	return stats.Handshakes.Completed
}

// judge adds up.
func (r *Report) judge(interrupted bool) {
	fail := func(format string, args ...any) { r.Failures = append(r.Failures, fmt.Sprintf(format, args...)) }
	if interrupted {
		fail("interrupted")
	}
	for _, row := range r.Rows {
		if row.Verdict != "ok" {
			fail("%s: %s, want: %s", row.Attack, row.Seen, row.Expected)
		}
	}
	for _, f := range r.Honest.Failures {
		fail("honest players: %s", f)
	}
	r.Verdict = "failed"
	if len(r.Failures) == 0 {
		r.Verdict = "ok"
	}
}
