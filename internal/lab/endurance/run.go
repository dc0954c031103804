package endurance

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
)

// Config says how many play, and how long.
type Config struct {
	Players  int           // at least MinPlayers; attackers and those beside them come on top
	Duration time.Duration // at least MinDuration
	Seed     uint64        // what impairments and churn draw from
	Progress io.Writer     // takes a line every few seconds; nil means none
}

// Check returns an error for a configuration that cannot be used.
func (c *Config) Check() error {
	switch {
	case c.Players < MinPlayers:
		return fmt.Errorf("%d players: must be at least %d", c.Players, MinPlayers)
	case c.Duration < MinDuration:
		return fmt.Errorf("a duration of %v: must be at least %v", c.Duration, MinDuration)
	}
	return nil
}

// run is one run.
type run struct {
	config Config             // constant
	ctx    context.Context    // done when interrupted, or when the server does not answer any more
	cancel context.CancelFunc // of ctx
	match  soak.Match         // constant
	began  time.Time          // constant
	over   time.Time          // constant: when everybody is to have left

	mu sync.Mutex
	// +checklocks:mu
	report Report
}

// Run plays until it is over or ctx is done, and reports. The program's main must begin as package
// succession says.
func Run(ctx context.Context, config Config) (*Report, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	if _, set := os.LookupEnv(collect); !set {
		if err := os.Setenv(collect, collectAt); err != nil { // the server's process has our environment
			return nil, err
		}
	}
	match, end, err := soak.StartReplaceable(Tick)
	if err != nil {
		return nil, err
	}
	defer end()
	r := &run{config: config, match: match, began: time.Now(), report: newReport(config.Players)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	r.over = r.began.Add(config.Duration)
	stop := r.watch()
	r.play()
	stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	report := r.report
	report.elapsed = time.Since(r.began)
	report.judge(ctx.Err() != nil)
	return &report, nil
}

// play returns when all groups have.
func (r *run) play() {
	var playing sync.WaitGroup
	team := 0
	for i, g := range groups {
		entry := r.group(i)
		for _, players := range g.teams(r.config.Players) {
			number, begins := team, time.Duration(team)*between
			team++
			playing.Go(func() {
				select {
				case <-time.After(begins):
					g.play(r, entry, number, players)
				case <-r.ctx.Done():
				}
			})
		}
	}
	playing.Wait()
}

// group is the entry of a group in the report. Its name and its players are constant.
func (r *run) group(i int) *Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &r.report.Groups[i]
}

// note adds a team's round to its group.
func (r *run) note(g *Group, team, number int, p *soak.Report, failures []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.Rounds++
	g.Sent += p.Sent
	g.Received += p.Received
	g.Lost += p.Lost
	g.Renewed += p.Renewed
	g.Migrated += p.Migrated
	g.Resumed += p.Resumed
	for _, f := range failures {
		r.fail("%s, team %d, round %d: %s", g.Name, team, number, f)
	}
}

// fail notes a promise that was broken, and says so at once.
//
// +checklocks:r.mu
func (r *run) fail(format string, args ...any) {
	failure := fmt.Sprintf(format, args...)
	r.report.Failures = append(r.report.Failures, failure)
	if r.config.Progress != nil {
		fmt.Fprintf(r.config.Progress, "%5.0f s of %.0f  %s\n", time.Since(r.began).Seconds(), r.config.Duration.Seconds(), failure)
	}
}

// watch looks at the server's process once a second until the returned function is called.
func (r *run) watch() (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.ctx))
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			stats, err := r.match.Stats(ctx)
			if err != nil {
				r.mu.Lock()
				r.fail("the server after %.0f s: %v", time.Since(r.began).Seconds(), err)
				r.mu.Unlock()
				r.cancel()
				return
			}
			r.sample(stats)
		}
	})
	return func() { cancel(); watching.Wait() }
}

// sample keeps what the server's process is like, and says how far the run is.
func (r *run) sample(s gameserver.Stats) {
	at := time.Since(r.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Samples = append(r.report.Samples, newSample(at, s))
	r.report.Drops, r.report.Overflow = s.Drops, s.Socket.Overflow
	if n := len(r.report.Samples); r.config.Progress != nil && n%progressEvery == 0 {
		last := r.report.Samples[n-1]
		fmt.Fprintf(r.config.Progress, "%5.0f s of %.0f  %5d sessions  %4d goroutines  %4.1f MB live heap  %5.1f MB resident  %3d descriptors  %d failures\n",
			at.Seconds(), r.config.Duration.Seconds(), last.Sessions, last.Goroutines, mb(last.Heap), mb(last.Resident),
			last.Descriptors, len(r.report.Failures))
	}
}

// progressEvery is how many samples lie between two lines of progress.
const progressEvery = 10

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }
