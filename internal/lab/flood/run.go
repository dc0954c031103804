//go:build linux

package flood

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// Config says how many play, and how they are flooded.
type Config struct {
	Players  int           // 1 to MaxPlayers
	Rate     int           // ClientHellos a second, at least 1,000
	Duration time.Duration // of quiet play, and of each flood; at least 5 s
	Alone    bool          // others are kept off the server's processor, as far as this process may
	Progress io.Writer     // takes a line for each phase; nil means none
}

// MaxPlayers is what 127.1.0.0/16 has room for.
const MaxPlayers = perNetwork * 255

// Check returns an error for a configuration that cannot be used.
func (c *Config) Check() error {
	switch {
	case c.Players < 1 || c.Players > MaxPlayers:
		return fmt.Errorf("%d players: must be 1 to %d", c.Players, MaxPlayers)
	case c.Rate < 1000:
		return fmt.Errorf("a rate of %d: must be at least 1000 a second", c.Rate)
	case c.Duration < 5*time.Second:
		return fmt.Errorf("a duration of %v: must be at least 5s", c.Duration)
	}
	return nil
}

// stage is where the phases are played.
type stage struct {
	config    Config
	server    *server
	dialer    *dialer
	players   *players
	residence *residence // nil where this process must not
	hello     []byte
}

// Run plays and floods, and reports. This process must begin as the package comment of run says, and
// keeps to one processor afterwards.
func Run(ctx context.Context, config Config) (report *Report, err error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	if runtime.NumCPU() < 2 {
		return nil, errors.New("flood: needs two processors, one for the server")
	}
	s := &stage{config: config}
	if s.hello, err = firstHello(); err != nil {
		return nil, err
	}
	if s.server, err = start(serverProcessor); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.server.end()) }()
	if err := stayOn(othersProcessor); err != nil {
		return nil, fmt.Errorf("flood: cannot stay on one processor: %w", err)
	}
	report = &Report{Config: config, Failures: []string{}}
	if config.Alone {
		a, err := s.server.ask(askAlone)
		if err != nil {
			return nil, err
		}
		s.say("%d threads of others are kept off the server's processor", a.Moved)
		if a.Moved == 0 {
			report.NotShown = append(report.NotShown, "alone: nothing could be kept off the server's processor: run it as root, or with CAP_SYS_NICE")
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.server.dev.CA)
	s.dialer = &dialer{server: s.server, roots: roots}
	s.say("%d players join", config.Players)
	if s.players, err = s.dialer.join(ctx, config.Players); err != nil {
		return nil, err
	}
	defer s.players.leave()
	if s.residence, err = measure(s.server.addr.Port()); err != nil {
		report.NotShown = append(report.NotShown, fmt.Sprintf("residence: %v: run it as root, or with CAP_NET_RAW", err))
	} else {
		defer s.residence.close()
	}
	return report, s.play(ctx, report)
}

// play plays the phases.
func (s *stage) play(ctx context.Context, report *Report) error {
	for _, ph := range []struct {
		name      string
		from      func(*rand.Rand) [4]byte
		newcomers int
	}{
		{"quiet", nil, 0},
		{"elsewhere", elsewhere, 0},
		{"own /24", among(s.config.Players), newcomers},
	} {
		if ctx.Err() != nil {
			report.Failures = append(report.Failures, "interrupted")
			break
		}
		s.say("%s: %v", ph.name, s.config.Duration)
		p, err := s.phase(ctx, ph.from, ph.newcomers)
		if err != nil {
			return err
		}
		p.Name = ph.name
		report.Phases = append(report.Phases, p)
	}
	report.judge()
	return nil
}

// phase plays for the configured time, while the flood lasts.
func (s *stage) phase(ctx context.Context, from func(*rand.Rand) [4]byte, newcomers int) (p Phase, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Duration)
	defer cancel()
	var flooding sync.WaitGroup
	var sprayed error
	if from != nil {
		flooding.Go(func() { p.Flooded, sprayed = spray(ctx, s.server.addr, s.hello, s.config.Rate, from) })
	}
	time.Sleep(settle)
	if s.residence != nil {
		s.residence.again()
	}
	before, err := s.server.ask(askStats)
	if err != nil {
		return p, err
	}
	gone, resumed, sent, answered := s.players.gone.Load(), s.players.resumed.Load(), s.players.sent.Load(), s.players.answered.Load()
	p.Newcomers = newcomers
	p.In, p.Slowest = s.dialer.newcomers(ctx, newcomers, s.config.Players)
	p.Memory = s.watch(ctx)
	if s.residence != nil {
		p.residence(s.residence.again())
	}
	flooding.Wait()
	time.Sleep(drain)
	after, err := s.server.ask(askStats)
	if err != nil {
		return p, err
	}
	p.Sent = s.players.sent.Load() - sent
	p.Lost = missing(p.Sent, after.Handled-before.Handled)
	p.Unanswered = missing(p.Sent, s.players.answered.Load()-answered)
	p.Gone, p.Resumed = int(s.players.gone.Load()-gone), int(s.players.resumed.Load()-resumed)
	p.Overflow = after.Stats.Socket.Overflow - before.Stats.Socket.Overflow
	p.Buffer = after.Stats.Socket.ReceiveBuffer
	p.Drops = countsBetween(before.Stats.Drops, after.Stats.Drops)
	return p, sprayed
}

// missing is how many of sent have not come; those under way at either end may make it a few less
// than none.
func missing(sent, came uint64) uint64 { return sent - min(sent, came) }

// watch returns the most that is resident of the server's process until ctx is done. It does not ask the
// server, which would keep it from its players.
func (s *stage) watch(ctx context.Context) (most int64) {
	ticker := time.NewTicker(time.Second / 2)
	defer ticker.Stop()
	for {
		most = max(most, s.server.resident())
		select {
		case <-ctx.Done():
			return most
		case <-ticker.C:
		}
	}
}

// newcomers dial at even intervals until ctx is about to end, and leave again. Those who need more than
// NewcomerTime are not in.
func (d *dialer) newcomers(ctx context.Context, n, players int) (in int, slowest time.Duration) {
	if n == 0 {
		return 0, 0
	}
	end, _ := ctx.Deadline()
	interval := (time.Until(end) - NewcomerTime) / time.Duration(n)
	var mu sync.Mutex
	var dialing sync.WaitGroup
	for i := range n {
		dialing.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, NewcomerTime)
			defer cancel()
			began := time.Now()
			c, err := d.dial(ctx, fmt.Sprintf("newcomer-%d", i), newcomer(i, players), nil)
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, took)
			if err == nil {
				in++
				c.Close() //nolint:errcheck // it has been let in
			}
		})
		time.Sleep(interval)
	}
	dialing.Wait()
	return in, slowest
}

func (s *stage) say(format string, args ...any) {
	if s.config.Progress != nil {
		fmt.Fprintf(s.config.Progress, format+"\n", args...)
	}
}
