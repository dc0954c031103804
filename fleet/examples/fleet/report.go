package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/session"
)

// table shows how the servers stand, twice a second, for as long as a part of the match takes.
func (f *fleet) table(ctx context.Context, what string, d time.Duration) {
	fmt.Fprintf(f.out, "\n%s\n", what)
	before := f.words()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if !pause(ctx, time.Second/2) {
			return
		}
		now := f.words()
		for i, w := range now {
			state := ""
			if w.Stale {
				state = "  admits nobody new"
			}
			fmt.Fprintf(f.out, "  %s %3d players %6d/s%s", f.servers[i].name, w.Players, 2*(w.Delivered-before[i].Delivered), state)
		}
		fmt.Fprintln(f.out)
		before = now
	}
}

func (f *fleet) words() []word {
	words := make([]word, len(f.servers))
	for i, p := range f.servers {
		words[i] = p.word()
	}
	return words
}

// report is what has become of it all.
type report struct {
	bound    time.Duration
	banned   time.Time
	rows     [][2]string
	failures []string
}

func (r *report) row(name, format string, args ...any) {
	r.rows = append(r.rows, [2]string{name, fmt.Sprintf(format, args...)})
}

func (r *report) failf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// delay takes how long after the ban a server delivered mallory's last datagram.
func (r *report) delay(server string, d time.Duration) {
	if d < 0 {
		d = 0 // it came before
	}
	r.row("last datagram", "%s delivered it %.1f ms after the ban was published", server, float64(d)/1e6)
	if d > r.bound {
		r.failf("%s delivered a datagram of mallory's %v after the ban; %v is the bound", server, d.Round(time.Millisecond), r.bound)
	}
}

// put takes how one of mallory's sessions has ended.
func (r *report) put(server string, err error) {
	if refusal(err) != session.ReasonRevoked {
		r.failf("mallory's session on %s: %v; it was to be revoked", server, err)
	}
}

// refused takes what came of an attempt that was to be refused for a reason.
func (r *report) refused(who, server string, err error, reason session.Reason) {
	r.row("attempt", "%s, on %s: %s", who, server, outcome(err))
	if refusal(err) != reason {
		r.failf("%s, on %s: %s; it was to be refused with %q", who, server, outcome(err), reason)
	}
}

func outcome(err error) string {
	switch reason := refusal(err); {
	case err == nil:
		return "let in"
	case reason != 0:
		return reason.String()
	default:
		return err.Error()
	}
}

// lifted takes what came of the end of the ban.
func (r *report) lifted(server string, err error) {
	r.row("ban lifted", "mallory, on %s: %s", server, outcome(err))
	if err != nil {
		r.failf("%s still refuses mallory: %v", server, err)
	}
}

// honest takes how many honest players there were, and whose sessions have ended.
func (r *report) honest(players int, ended []error) {
	r.row("everybody else", "%d of %d played to the end", players-len(ended), players)
	if len(ended) > 0 {
		r.failf("%d honest players were put out: %v", len(ended), errors.Join(ended[:1]...))
	}
}

// write writes the report for people.
func (r *report) write(w io.Writer) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
	}
	verdict := "ok"
	if len(r.failures) > 0 {
		verdict = "failed"
	}
	fmt.Fprintf(t, "verdict\t%s\n", verdict)
	for _, f := range r.failures {
		fmt.Fprintf(t, "\t%s\n", f)
	}
	t.Flush() //nolint:errcheck // to a terminal
}
