package soak

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lab/succession"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/transport"
)

// decisions are a trail with one decision about each of some sessions.
func decisions(d audit.Decision, detail string, sessions ...uint32) *tally.Trail {
	t := &tally.Trail{}
	for _, id := range sessions {
		t.Record(audit.Event{Decision: d, Detail: detail, Session: id})
	}
	return t
}

// turnedRun is a run in which something happened to both players and every promise was kept.
func turnedRun(config Config) *run {
	r := goodRun()
	r.config = config
	r.config.Players = 2
	r.turned.Store(2)
	for range 2 {
		r.pausedFor(100 * time.Millisecond)
	}
	return r
}

// pausedFor has a player wait for so long.
func (r *run) pausedFor(d time.Duration) { r.pauses.add(r.began, r.began.Add(d)) }

// lateFor has the machine stop this process for so long in each pause, or for all of it.
func (r *run) lateFor(d time.Duration) {
	r.late = func(from, to time.Time) time.Duration { return min(d, to.Sub(from)) }
}

func migrated() *run {
	r := turnedRun(Config{Migrate: true})
	r.evidence.trail = decisions(audit.Migrate, "", 1, 2)
	return r
}

func darkened() *run {
	r := turnedRun(Config{Blackout: time.Second})
	r.evidence.trail = &tally.Trail{}
	return r
}

func replaced() *run {
	r := turnedRun(Config{Replace: true})
	r.arrived.Store(2)
	r.evidence.handover = &succession.Handover{
		Former: decisions(audit.Close, "handed on to the next process", 1, 2), Present: decisions(audit.Resume, "", 1, 2),
	}
	return r
}

func renewed() *run {
	r := goodRun()
	r.config.Renew = true
	r.renewals.Store(2)
	r.evidence.trail = decisions(audit.Renew, "", 1, 2)
	return r
}

// Each promise is one that what happens in the middle of play can break.
func TestJudgeTurn(t *testing.T) {
	for _, c := range []struct {
		what string
		run  func() *run
		want string // part of the only failure; empty means ok
		do   func(r *run)
	}{
		{"migrate", migrated, "", nil},
		{"migrate", migrated, "1 of 2 players went on after the change of socket; behind: 1 player 7", func(r *run) {
			r.turned.Store(1)
			r.behind.Count("player 7")
		}},
		{"migrate", migrated, "audited migrate of 1 sessions, of 2", func(r *run) { r.evidence.trail = decisions(audit.Migrate, "", 1, 1) }},
		{"migrate", migrated, "", func(r *run) { r.evidence.trail = nil }},
		{"migrate", migrated, "came back as somebody else", func(r *run) { r.strangers.Store(1) }},
		{"migrate", migrated, "1 of 100 inputs lost", func(r *run) { r.lost.Store(1) }},
		{"migrate", migrated, "", func(r *run) { r.missed.Store(2) }},
		{"migrate", migrated, "1 inputs delivered more than once", func(r *run) { r.twice.Store(1) }},
		{"migrate", migrated, "ended early", func(r *run) { r.closed.Count("idle") }},
		{"migrate", migrated, "the server: gone", func(r *run) { r.evidence.err = errors.New("gone") }},
		{"migrate by ticket", migrated, "audited resume of 0 sessions, of 1", func(r *run) { r.tickets.Store(1) }},

		{"blackout", darkened, "", nil},
		{"blackout", darkened, "1 of 2 players went on after the blackout", func(r *run) { r.turned.Store(1) }},
		{"blackout", darkened, "1 of 100 inputs lost", func(r *run) { r.lost.Store(1) }},
		{"blackout", darkened, "", func(r *run) { r.pausedFor(time.Second) }},
		{"blackout", darkened, "later than 1s", func(r *run) { r.pausedFor(1001 * time.Millisecond) }},
		{"blackout while this process is stopped", darkened, "", func(r *run) { r.pausedFor(1400 * time.Millisecond); r.lateFor(400 * time.Millisecond) }},
		{"blackout while this process is stopped", darkened, "came 1001 ms after", func(r *run) { r.pausedFor(1401 * time.Millisecond); r.lateFor(400 * time.Millisecond) }},
		{"far blackout", darkened, "", func(r *run) {
			r.pausedFor(1100 * time.Millisecond)
			r.config.Impairment.Latency = 50 * time.Millisecond
		}},
		{"slow blackout", darkened, "", func(r *run) {
			r.pausedFor(1500 * time.Millisecond)
			r.config.Impairment.Bandwidth = 2_000_000 // and a queue of 250 ms each way
		}},
		{"slow blackout", darkened, "later than 1.5s", func(r *run) {
			r.pausedFor(1501 * time.Millisecond)
			r.config.Impairment.Bandwidth = 2_000_000
		}},
		{"blackout by ticket", darkened, "audited resume of 0 sessions, of 1", func(r *run) { r.tickets.Store(1) }},
		{"blackout by ticket", darkened, "", func(r *run) { r.tickets.Store(1); r.evidence.trail = decisions(audit.Resume, "", 1) }},

		{"replace", replaced, "", nil},
		{"replace", replaced, "1 of 2 players went on after the server was replaced", func(r *run) { r.turned.Store(1) }},
		{"replace", replaced, "the server: does not start", func(r *run) { r.evidence.err = errors.New("does not start") }},
		{"replace", replaced, "of 1 sessions, of 2", func(r *run) {
			r.evidence.handover.Former = decisions(audit.Close, "handed on to the next process", 1)
			r.evidence.handover.Present = decisions(audit.Resume, "", 1)
		}},
		{"replace", replaced, "of 0 sessions, of 2", func(r *run) {
			r.evidence.handover.Former, r.evidence.handover.Present = decisions(audit.Close, "", 1, 2), &tally.Trail{}
		}},
		{"replace", replaced, "resume of 1 sessions, of 2", func(r *run) { r.evidence.handover.Present = decisions(audit.Resume, "", 1) }},
		{"replace", replaced, "resume of 2 sessions, of 2", func(r *run) { r.evidence.handover.Present = decisions(audit.Resume, "", 1, 3) }},
		{"replace", replaced, "1 handshakes have begun", func(r *run) { r.evidence.handover.Handshakes.Started = 1 }},
		{"replace", replaced, "", func(r *run) { r.evidence.handover.Handshakes.Started = 1; r.lostPaths.Store(1) }},
		{"replace", replaced, "1 players have negotiated", func(r *run) {
			r.evidence.handover.Handshakes = transport.HandshakeStats{Started: 1, Completed: 1}
			r.lostPaths.Store(1)
		}},

		{"renew", renewed, "", nil},
		{"renew", renewed, "audited 2 of 3 renewals", func(r *run) { r.renewals.Store(3) }},
		{"renew", renewed, "", func(r *run) { r.evidence.trail = nil }},
	} {
		r := c.run()
		if c.do != nil {
			c.do(r)
		}
		p := r.report(stats(nil), stats(nil), stats(nil))
		switch {
		case c.want == "" && p.OK():
		case c.want != "" && !p.OK() && len(p.Failures) == 1 && strings.Contains(p.Failures[0], c.want):
		default:
			t.Errorf("%s: want %q, got %s %q", c.what, c.want, p.Verdict, p.Failures)
		}
	}
}

// What a server's audit says to have left out may be what is missing, and the failure says that there is something.
func TestAuditThatLeavesOut(t *testing.T) {
	r := migrated()
	r.evidence.trail = decisions(audit.Migrate, "")
	line := `{"decision": "flag", "unmapped": {"suppressed": %d}}`
	for _, c := range []struct {
		suppressed string
		want       string
	}{{"1", "of 0 sessions, of 2, and has left out 1 lines"}, {"1", ""}} {
		if err := r.evidence.trail.ReadLine([]byte(strings.Replace(line, "%d", c.suppressed, 1)), time.Time{}); err != nil {
			t.Fatal(err)
		}
		p := r.report(nil, nil, nil)
		if c.want == "" != p.OK() || !p.OK() && !strings.Contains(p.Failures[0], c.want) {
			t.Errorf("want %q, got %s %q", c.want, p.Verdict, p.Failures)
		}
	}
}

// A handshake that an impatient client begins is dropped again, and that is nobody's fault.
func TestDropsOfLostPaths(t *testing.T) {
	for lost, want := range map[uint64]bool{0: false, 1: true} {
		r := darkened()
		r.lostPaths.Store(lost)
		if p := r.report(stats(nil), stats(nil), stats(map[string]uint64{"handshake": 1})); p.OK() != want {
			t.Errorf("%d paths lost: %s %q", lost, p.Verdict, p.Failures)
		}
	}
}

// "pause_ms: null when none of these happened", and who is counted how.
func TestReportTurn(t *testing.T) {
	for name, test := range map[string]struct {
		run                        *run
		renewed, migrated, resumed uint64
		pause                      bool
		decision                   string
		number                     uint64
		hasAudit                   bool
	}{
		"nothing":  {goodRun(), 0, 0, 0, false, "", 0, false},
		"renew":    {renewed(), 2, 0, 0, false, "renew", 2, true},
		"migrate":  {migrated(), 0, 2, 0, true, "migrate", 2, true},
		"blackout": {darkened(), 0, 0, 0, true, "", 0, true},
		"replace":  {replaced(), 0, 0, 2, true, "close", 2, true},
	} {
		p := test.run.report(nil, nil, nil)
		if p.Renewed != test.renewed || p.Migrated != test.migrated || p.Resumed != test.resumed {
			t.Errorf("%s: %d renewed, %d migrated, %d resumed", name, p.Renewed, p.Migrated, p.Resumed)
		}
		if (p.Pause != nil) != test.pause || test.pause && (p.Pause.Max != 100 || p.Pause.P50 < 98) {
			t.Errorf("%s: pause %+v", name, p.Pause)
		}
		if (p.Audit != nil) != test.hasAudit || p.Audit[test.decision] != test.number {
			t.Errorf("%s: audit %v", name, p.Audit)
		}
	}
}
