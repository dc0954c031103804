package soak

import (
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/tally"
)

// Report is the result of a run, in the form that scripts read.
type Report struct {
	Players   int          `json:"players"`
	Connected int          `json:"connected"` // players who got in at first
	Sent      uint64       `json:"sent"`      // inputs
	Received  uint64       `json:"received"`  // snapshots
	Lost      uint64       `json:"lost"`      // inputs
	Missed    uint64       `json:"missed"`    // inputs that are not lost by fault: nobody listened where they were sent to
	Renewed   uint64       `json:"renewed"`   // tokens
	Migrated  uint64       `json:"migrated"`  // players who went on from another socket
	Resumed   uint64       `json:"resumed"`   // sessions that went on by ticket, or in the next process
	Drained   tally.Counts `json:"drained"`   // those of them that a server has sent to another one, by its address
	Pause     *Pause       `json:"pause_ms"`  // null where nothing happened in the middle of play
	RTT       RTT          `json:"rtt_ms"`
	Lanes     []Lane       `json:"lanes"` // of the arena; null where the players have none
	Server    Server       `json:"server"`
	Audit     tally.Counts `json:"audit"`    // decisions of the server; null where it was not asked
	Rejected  tally.Counts `json:"rejected"` // attempts to join, by reason
	Verdict   string       `json:"verdict"`  // "ok" or "failed"
	Failures  []string     `json:"failures"` // promises broken

	dropped, rejoined uint64 // for the table
	elapsed           time.Duration
}

// Pause is how long players waited for the first snapshot after what happened in the middle of play, in milliseconds.
type Pause struct {
	P50 float64 `json:"p50"`
	Max float64 `json:"max"`
}

// RTT is in milliseconds, 0 where nothing was measured.
type RTT struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Server holds the cost of the server's process while players played, and its own counts. Null is
// unknown.
type Server struct {
	CPU          *float64     `json:"cpu_us_per_datagram"` // user and system time; datagrams in both directions
	Allocs       *float64     `json:"allocs_per_datagram"`
	Scope        string       `json:"scope,omitempty"` // "process": this one, players included; "server": another
	SessionsPeak *int         `json:"sessions_peak"`
	Drops        tally.Counts `json:"drops"` // during the run
}

// OK reports whether every promise was kept.
func (r *Report) OK() bool { return r.Verdict == "ok" }

// report adds up. The server was asked before the first player dialed, when play began, and at the end.
func (r *run) report(before, loaded, after *gameserver.Stats) *Report {
	p := &Report{
		Players: r.config.Players, Connected: int(r.connected.Load()),
		Sent: r.sent.Load(), Received: r.received.Load(), Lost: r.lost.Load(),
		RTT:    RTT{r.rtt.quantile(0.50), r.rtt.quantile(0.95), r.rtt.quantile(0.99), r.rtt.maximum()},
		Server: Server{Drops: tally.Counts{}}, Rejected: r.rejected.Counts(), Drained: r.drained.Counts(), Failures: []string{},
		Missed: r.missed.Load(), Renewed: r.renewals.Load(), Resumed: r.tickets.Load() + r.arrived.Load(), Audit: r.evidence.counts(),
		dropped: r.dropped.Load(), rejoined: r.rejoined.Load(), elapsed: time.Since(r.began),
	}
	r.reportTurn(p)
	r.reportLanes(p)
	if after != nil {
		p.Server.SessionsPeak = &after.SessionsPeak
	}
	if before != nil && after != nil {
		p.Server.Drops = dropsBetween(before, after)
	}
	if loaded != nil && after != nil {
		r.spent(&p.Server, loaded, after)
	}
	r.judge(p, loaded, after)
	return p
}

// reportTurn adds what happened in the middle of play. A server elsewhere may have been replaced by somebody else.
func (r *run) reportTurn(p *Report) {
	if r.config.Migrate {
		p.Migrated = r.turned.Load()
	}
	if r.turned.Load() > 0 {
		p.Pause = &Pause{r.pauses.quantile(0.5), r.pauses.maximum()}
	}
}

// spent sets the cost of a datagram between two samples of the server. It is unknown if another
// process has taken its place, which counts from 0.
func (r *run) spent(s *Server, from, to *gameserver.Stats) {
	if to.Received <= from.Received || to.Sent <= from.Sent || r.arrived.Load() > 0 && !r.config.Replace {
		return
	}
	datagrams := float64(to.Received - from.Received + to.Sent - from.Sent)
	if from.CPU != nil && to.CPU != nil {
		us := float64(*to.CPU-*from.CPU) / datagrams
		s.CPU, s.Scope = &us, r.match.Scope
	}
	if from.Mallocs != nil && to.Mallocs != nil {
		n := float64(*to.Mallocs-*from.Mallocs) / datagrams
		s.Allocs, s.Scope = &n, r.match.Scope
	}
}

// dropsBetween returns the drops that to counts and from does not.
func dropsBetween(from, to *gameserver.Stats) tally.Counts {
	return tally.Counts(to.Drops).Since(from.Drops)
}
