package attack

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/tally"
)

// Report is the result of an attack, in the form that scripts read.
type Report struct {
	Attack   string       `json:"attack"`
	Rows     []Row        `json:"rows"`
	Honest   *soak.Report `json:"honest"`   // who played by the rules meanwhile
	Verdict  string       `json:"verdict"`  // "ok" when the server held, or "failed"
	Failures []string     `json:"failures"` // promises broken

	elapsed time.Duration
}

// Row is one scene.
type Row struct {
	Attack   string       `json:"attack"`
	Expected string       `json:"expected"`
	Seen     string       `json:"seen"`
	Drops    tally.Counts `json:"drops"` // of the server, by reason, meanwhile
	Audit    tally.Counts `json:"audit"` // decisions of the server meanwhile; empty when it is another process
	Verdict  string       `json:"verdict"`
}

// OK reports whether the server held.
func (r *Report) OK() bool { return r.Verdict == "ok" }

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "attack\texpected\tseen\tverdict")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", row.Attack, row.Expected, row.Seen, row.Verdict)
	}
	h := r.Honest
	fmt.Fprintf(t, "%d honest players meanwhile\tnothing is lost\t%d of %d connected, %d inputs sent, %d lost\t%s\n",
		h.Players, h.Connected, h.Players, h.Sent, h.Lost, h.Verdict)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\ndropped   %s\n", r.sum(func(row Row) tally.Counts { return row.Drops }))
	fmt.Fprintf(w, "audited   %s\n", r.sum(func(row Row) tally.Counts { return row.Audit }))
	fmt.Fprintf(w, "verdict   %s after %.1f s\n", r.Verdict, r.elapsed.Seconds())
	for _, f := range r.Failures {
		fmt.Fprintf(w, "          %s\n", f)
	}
	return nil
}

// sum lists numbers of all rows by name.
func (r *Report) sum(of func(Row) tally.Counts) string {
	sum := tally.Counts{}
	for _, row := range r.Rows {
		sum.Add(of(row))
	}
	return sum.Text("nothing")
}
