package soak

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("players", "%d of %d connected, %d rejoined, %d renewals", r.Connected, r.Players, r.rejoined, r.Renewed)
	row("inputs", "%d sent, %d lost, %d taken by our own impairment%s", r.Sent, r.Lost, r.dropped, r.missed())
	row("snapshots", "%d received", r.Received)
	row("round trip", "p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms", r.RTT.P50, r.RTT.P95, r.RTT.P99, r.RTT.Max)
	r.laneTable(row)
	if s := r.Server; s.Scope != "" {
		row("server", "%s µs CPU and %s allocations a datagram (%s)", number(s.CPU), number(s.Allocs), whose[s.Scope])
	}
	if peak := r.Server.SessionsPeak; peak != nil {
		row("sessions", "%d at most", *peak)
		row("drops", "%s", r.Server.Drops.Text("none"))
	}
	if r.Pause != nil {
		row("went on", "%d migrated, %d resumed; after p50 %.1f ms, max %.1f ms", r.Migrated, r.Resumed, r.Pause.P50, r.Pause.Max)
	}
	if len(r.Drained) > 0 {
		row("sent on", "%s", r.Drained.Text("nobody"))
	}
	if r.Audit != nil {
		row("audit", "%s", r.Audit.Text("none"))
	}
	if len(r.Rejected) > 0 {
		row("refused", "%s", r.Rejected.Text("none"))
	}
	row("verdict", "%s after %.1f s", r.Verdict, r.elapsed.Seconds())
	for _, f := range r.Failures {
		row("", "%s", f)
	}
	return t.Flush()
}

// missed is the rest of the row about inputs.
func (r *Report) missed() string {
	if r.Missed == 0 {
		return ""
	}
	return fmt.Sprintf(", %d sent where nobody listened", r.Missed)
}

var whose = map[string]string{
	"process": "this whole process, players included",
	"server":  "the server's process",
}

func number(f *float64) string {
	if f == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.2f", *f)
}
