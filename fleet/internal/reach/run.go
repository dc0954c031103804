package reach

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/session"
)

// Bounds that a Report is held to.
const (
	BoundCalm   = 250 * time.Millisecond // from publish to the last datagram, 99 of 100
	BoundKilled = 2 * time.Second        // likewise, while a NATS server is killed
	BoundLeader = 12 * time.Second       // until JetStream has what was published while its leader is killed
	BoundStart  = 2 * time.Second        // until a server that starts has everything in force
	BoundBytes  = 100                    // of a stored record
	BoundMended = 5 * time.Second        // after a partition, until everything is in force
)

// Measure is what Run does.
type Measure struct {
	Config
	Calm   int // players that are banned one after another
	Killed int // players that are banned while NATS servers are killed
	Kills  int // how many, one after the other; zero means 1
	Once   int // tokens that are shown to every server
	More   int // revocations that are stored besides, before one more server starts
}

// Report is what Run has measured.
type Report struct {
	Stored, More int // revocations stored
	Calm, Killed []Sample
	Reconnected  []time.Duration // from each kill until every carrier was connected
	Leader       time.Duration
	LeaderLate   time.Duration // of that, at most, since the machine was busy
	Bytes        float64       // of a stored record
	Start        time.Duration
	StartLate    time.Duration // likewise
	Taken, Shown int           // of used tokens
}

// Run starts a fleet and measures.
func Run(ctx context.Context, m Measure, log io.Writer) (r Report, err error) {
	r.Stored, r.More = m.Stored, m.More
	say := func(format string, args ...any) { fmt.Fprintf(log, format+"\n", args...) }
	say("starting %d match servers and 3 NATS servers, %d revocations stored", m.Servers, m.Stored)
	f, err := Start(ctx, m.Config)
	if err != nil {
		return r, err
	}
	defer f.Close()
	say("%d players join %d servers each", m.Calm+m.Killed, m.Servers)
	calm, err := f.JoinAll(ctx, "calm", m.Calm)
	if err != nil {
		return r, err
	}
	killed, err := f.JoinAll(ctx, "killed", m.Killed)
	if err != nil {
		return r, err
	}
	say("bans")
	if r.Calm, err = f.BanAll(ctx, calm, banEvery, nil); err != nil {
		return r, err
	}
	say("bans, and a NATS server is killed, each in its turn")
	if err := f.killEach(ctx, killed, max(1, m.Kills), &r); err != nil {
		return r, err
	}
	say("nobody comes back")
	for _, p := range slices.Concat(calm, killed)[:min(backAgain, len(calm)+len(killed))] {
		if err := f.Refused(ctx, p.Subject, session.ReasonRevoked); err != nil {
			return r, err
		}
	}
	say("used tokens are shown to other servers")
	if r.Taken, r.Shown, err = f.Once(ctx, "once", m.Once, BoundCalm); err != nil {
		return r, err
	}
	say("JetStream's leader is killed")
	if r.Leader, r.LeaderLate, err = f.LeaderGone(ctx); err != nil {
		return r, err
	}
	say("%d more revocations", m.More)
	if err := f.store(ctx, m.More); err != nil {
		return r, err
	}
	s := f.Publisher.Stats()
	r.Bytes = float64(s.Bytes) / float64(s.Records)
	say("one more server starts")
	r.Start, r.StartLate, err = f.started(ctx)
	return r, err
}

const (
	// banEvery is the time between two bans: a busy operator's.
	banEvery = 50 * time.Millisecond
	// afterKill is how long a NATS server is gone, in which a share of the players is banned.
	afterKill = 2 * time.Second
	// recoverTime is how long a NATS server that was started again has to catch up before the next one
	// is killed: with two of three gone JetStream has no majority.
	recoverTime = 5 * time.Second
	// backAgain is how many of those who were banned come again.
	backAgain = 10
)

// killEach kills the publisher's NATS server, bans a share of the players meanwhile, and starts it
// again: some times.
func (f *Fleet) killEach(ctx context.Context, players []*Player, kills int, r *Report) error {
	if len(players) == 0 {
		return nil
	}
	share := (len(players) + kills - 1) / kills
	for part := range slices.Chunk(players, share) {
		samples, err := f.BanAll(ctx, part, afterKill/time.Duration(len(part)+1), func() error {
			// In the middle of what the first ban does.
			if !pause(ctx, 4*calm/3) {
				return ctx.Err()
			}
			i, err := f.KillNATS()
			if err != nil {
				return err
			}
			killed := time.Now()
			if err := f.connected(ctx, i); err != nil {
				return err
			}
			r.Reconnected = append(r.Reconnected, time.Since(killed))
			if !pause(ctx, time.Until(killed.Add(2*afterKill))) {
				return ctx.Err()
			}
			return f.NATS.Start(i)
		})
		if err != nil {
			return err
		}
		r.Killed = append(r.Killed, samples...)
		if !pause(ctx, recoverTime) {
			return ctx.Err()
		}
	}
	return nil
}

// connected waits until the publisher and every server are connected, and none to the server that
// was killed.
func (f *Fleet) connected(ctx context.Context, killed int) error {
	gone := natsName(killed)
	for _, s := range f.Servers {
		for {
			a, err := s.Status()
			if err != nil {
				return err
			}
			if there(a.NATS, gone) && there(f.carrier.Stats(), gone) {
				break
			}
			if !pause(ctx, time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// there reports whether a carrier is connected, and not to a server that is gone.
func there(s natscarrier.Stats, gone string) bool { return s.Connected && s.Server != gone }

// started starts one more server and returns how long it took until everything was in force, and by how
// much, at most, the machine has put that off.
func (f *Fleet) started(ctx context.Context) (took, late time.Duration, err error) {
	began := time.Now()
	s, err := f.Add()
	if err != nil {
		return 0, 0, err
	}
	for {
		a, err := s.Status()
		if err != nil {
			return 0, 0, err
		}
		if a.Ready > 0 {
			if !whole(a.Status, f.Publisher.Stats().Last) {
				return 0, 0, fmt.Errorf("reach: ready and not whole: %+v", a.Status)
			}
			late, err = f.late(began, time.Now())
			return a.Ready, late, err
		}
		if !pause(ctx, 5*time.Millisecond) {
			return 0, 0, ctx.Err()
		}
	}
}
