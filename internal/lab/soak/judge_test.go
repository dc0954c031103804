package soak

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/transport"
)

// goodRun is a run in which every promise was kept.
func goodRun() *run {
	r := &run{config: Config{Players: 2}, ctx: context.Background(), began: time.Now(), late: func(time.Time, time.Time) time.Duration { return 0 }}
	r.connected.Store(2)
	r.sent.Store(100)
	r.received.Store(100)
	r.expected.Store(100)
	return r
}

func stats(drops map[string]uint64) *gameserver.Stats {
	return &gameserver.Stats{Stats: transport.Stats{Drops: drops}}
}

// Each promise is one that a run can break.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		want string // part of the only failure; empty means ok
		do   func(r *run)
		drop string
	}{
		{want: ""},
		{want: "1 of 2 players connected", do: func(r *run) { r.connected.Store(1) }},
		{want: "not let in: 1 server full", do: func(r *run) { r.rejected.Count("server full") }},
		{want: "ended early: 1 idle", do: func(r *run) { r.closed.Count("idle") }},
		{want: "1 of 100 inputs lost", do: func(r *run) { r.lost.Store(1) }},
		{want: "1 inputs delivered more than once", do: func(r *run) { r.twice.Store(1) }},
		{want: "snapshots", do: func(r *run) { r.received.Store(49) }},
		{want: "", do: func(r *run) { r.received.Store(50) }},
		{want: "no token was renewed", do: func(r *run) { r.config.Renew = true }},
		{want: "", do: func(r *run) { r.config.Renew = true; r.renewals.Store(1) }},
		{want: "nothing sent", do: func(r *run) { r.sent.Store(0) }},
		{want: "1 datagrams dropped: tag", drop: "tag"},
		{want: "1 datagrams dropped: record", drop: "record"},
		{want: "", drop: "source"},
		{want: "", drop: "record", do: func(r *run) { r.config.Churn = 0.1 }},
		{want: "", drop: "record", do: func(r *run) { r.config.Impairment = netsim.Impairment{Duplicate: 0.1} }},
	} {
		r := goodRun()
		if c.do != nil {
			c.do(r)
		}
		before, after := stats(nil), stats(nil)
		if c.drop != "" {
			after.Drops = map[string]uint64{c.drop: 1}
		}
		p := r.report(before, before, after)
		switch {
		case c.want == "" && p.OK():
		case c.want != "" && !p.OK() && len(p.Failures) == 1 && strings.Contains(p.Failures[0], c.want):
		default:
			t.Errorf("want %q, got %s %q", c.want, p.Verdict, p.Failures)
		}
	}
}

func TestInterruptedIsNotOK(t *testing.T) {
	r := goodRun()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.ctx = ctx
	r.connected.Store(0)
	p := r.report(nil, nil, nil)
	if p.OK() || !slices.ContainsFunc(p.Failures, func(f string) bool { return strings.HasPrefix(f, "interrupted") }) {
		t.Errorf("%s %q", p.Verdict, p.Failures)
	}
	if p.Server.CPU != nil || p.Server.Allocs != nil || p.Server.SessionsPeak != nil {
		t.Errorf("known of a server that was not asked: %+v", p.Server)
	}
}

func TestLifeFitsDuration(t *testing.T) {
	for duration, want := range map[time.Duration]time.Duration{
		time.Second: 3 * time.Second, 4 * time.Second: 4 * time.Second, 10 * time.Second: 6 * time.Second, time.Hour: 6 * time.Second,
	} {
		c := Config{Renew: true, Duration: duration}
		if c.TokenLife() != want {
			t.Errorf("%v: tokens of %v, want %v", duration, c.TokenLife(), want)
		}
		c.Impairment.Latency = 50 * time.Millisecond
		if far := c.TokenLife(); far < want || far > max(want, duration, 3*time.Second)+time.Second {
			t.Errorf("%v: tokens of %v at 50 ms, want up to a second more than %v", duration, far, want)
		}
	}
	if (&Config{Duration: time.Hour}).TokenLife() != 0 {
		t.Error("short tokens although nobody asked")
	}
}
