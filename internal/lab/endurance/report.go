package endurance

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/tally"
)

// Report is the result of a run, in the form that scripts read.
type Report struct {
	Players  int          `json:"players"`
	Groups   []Group      `json:"groups"`
	Samples  []Sample     `json:"samples"`  // one a second
	Flat     []Flat       `json:"flat"`     // what was judged of them
	Drops    tally.Counts `json:"drops"`    // of the server, by reason
	Overflow uint64       `json:"overflow"` // datagrams that the server's socket had no room for
	Verdict  string       `json:"verdict"`  // "ok" or "failed"
	Failures []string     `json:"failures"`

	elapsed time.Duration
}

// newReport is the report of a run that is about to begin.
func newReport(players int) Report {
	r := Report{Players: players, Groups: make([]Group, len(groups)), Failures: []string{}}
	for i, g := range groups {
		r.Groups[i].Name = g.name
		for _, size := range g.teams(players) {
			r.Groups[i].Players += size
		}
	}
	return r
}

// Group is the sum over a group's rounds.
type Group struct {
	Name     string `json:"name"`
	Players  int    `json:"players"` // in each round
	Rounds   int    `json:"rounds"`
	Sent     uint64 `json:"sent"`     // inputs
	Received uint64 `json:"received"` // snapshots
	Lost     uint64 `json:"lost"`     // inputs
	Renewed  uint64 `json:"renewed"`  // tokens
	Migrated uint64 `json:"migrated"` // players who went on from another socket
	Resumed  uint64 `json:"resumed"`  // by ticket
}

// Sample is the server's process at one time. What the system does not tell is 0.
type Sample struct {
	At          float64 `json:"at"` // seconds since the beginning
	Sessions    int     `json:"sessions"`
	Goroutines  int     `json:"goroutines"`
	Heap        int64   `json:"heap"`     // bytes that lived at the last garbage collection
	Resident    int64   `json:"resident"` // bytes
	Descriptors int     `json:"descriptors"`
}

func newSample(at time.Duration, s gameserver.Stats) Sample {
	p := s.Process
	return Sample{at.Seconds(), s.Sessions, p.Goroutines, p.Heap, p.Resident, p.Descriptors}
}

// OK reports whether every promise was kept.
func (r *Report) OK() bool { return r.Verdict == "ok" }

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "group\tplayers\trounds\tinputs\tlost\tsnapshots\trenewals\tmigrated\tresumed")
	for _, g := range r.Groups {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n",
			g.Name, g.Players, g.Rounds, g.Sent, g.Lost, g.Received, g.Renewed, g.Migrated, g.Resumed)
	}
	fmt.Fprintln(t, "\nserver's process\tfirst third\tlast third\tat most\t\t\t\t\t")
	for _, f := range r.Flat {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\t\t\t\t\n", f.What, f.First, f.Last, f.Bound)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\ndrops     %s\n", r.Drops.Text("none"))
	fmt.Fprintf(w, "overflow  %d datagrams\n", r.Overflow)
	fmt.Fprintf(w, "verdict   %s after %.1f s\n", r.Verdict, r.elapsed.Seconds())
	for _, f := range r.Failures {
		fmt.Fprintf(w, "          %s\n", f)
	}
	return nil
}
