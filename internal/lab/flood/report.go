//go:build linux

package flood

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/internal/lab/tally"
)

// Report is the result of a run, in the form that scripts read.
type Report struct {
	Config   Config   `json:"-"`
	Phases   []Phase  `json:"phases"`
	NotShown []string `json:"not_shown"` // what this machine or this user cannot show, and why
	Verdict  string   `json:"verdict"`   // "ok" or "failed"
	Failures []string `json:"failures"`
}

// Phase is quiet play, or a flood.
type Phase struct {
	Name       string        `json:"name"`
	Flooded    int           `json:"flooded"`    // ClientHellos sent
	Sent       uint64        `json:"sent"`       // inputs
	Lost       uint64        `json:"lost"`       // of them, on their way to the server
	Unanswered uint64        `json:"unanswered"` // of them; those lost included
	Gone       int           `json:"gone"`       // players whose session has ended
	Resumed    int           `json:"resumed"`    // players who had to go on by ticket
	P50        float64       `json:"residence_p50_us"`
	P99        float64       `json:"residence_p99_us"`
	Measured   int           `json:"measured"`  // answers
	Memory     int64         `json:"memory"`    // bytes resident of the server, at most
	Newcomers  int           `json:"newcomers"` // who have dialed
	In         int           `json:"in"`        // of them, within NewcomerTime
	Slowest    time.Duration `json:"slowest_ns"`
	Overflow   uint64        `json:"overflow"` // datagrams that the server's socket did not keep, those that its filter dropped included
	Buffer     int           `json:"receive_buffer"`
	Drops      tally.Counts  `json:"drops"` // of the server, by reason
}

// residence takes what has been measured, in order.
func (p *Phase) residence(took []time.Duration) {
	p.Measured = len(took)
	if len(took) == 0 {
		return
	}
	us := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / 1000 }
	p.P50, p.P99 = us(0.5), us(0.99)
}

// Undisturbed reports whether no player was put out, or had to go on by ticket.
func (p *Phase) Undisturbed() bool { return p.Gone == 0 && p.Resumed == 0 }

// LossJudged reports whether the receive buffer is large enough for the loss to say something about the
// server.
func (p *Phase) LossJudged() bool { return p.Buffer >= MinBuffer }

// LostLittle reports whether at most MaxLoss of the inputs were lost.
func (p *Phase) LostLittle() bool { return float64(p.Lost) <= MaxLoss*float64(p.Sent) }

// AsQuickAs reports whether inputs stayed at most MaxResidence times as long as in quiet play.
func (p *Phase) AsQuickAs(quiet *Phase) bool { return p.P99 <= MaxResidence*quiet.P99 }

// Above is how much more was resident of the server than in quiet play, in bytes: MaxMemory at most.
func (p *Phase) Above(quiet *Phase) int64 { return p.Memory - quiet.Memory }

func countsBetween(before, after map[string]uint64) tally.Counts {
	return tally.Counts(after).Since(before)
}

// OK reports whether every promise was kept.
func (r *Report) OK() bool { return r.Verdict == "ok" }

// judge compares the floods with quiet play.
func (r *Report) judge() {
	fail := func(format string, args ...any) { r.Failures = append(r.Failures, fmt.Sprintf(format, args...)) }
	quiet := &r.Phases[0]
	for i := range r.Phases {
		p := &r.Phases[i]
		if !p.Undisturbed() {
			fail("%s: %d players are out, %d have gone on by ticket", p.Name, p.Gone, p.Resumed)
		}
		if p.Sent == 0 {
			fail("%s: nobody has played", p.Name)
		}
		if p.LossJudged() && !p.LostLittle() {
			fail("%s: %d of %d inputs lost, %.2f %%", p.Name, p.Lost, p.Sent, 100*float64(p.Lost)/float64(p.Sent))
		}
		if p.In < p.Newcomers {
			fail("%s: %d of %d newcomers in within %v", p.Name, p.In, p.Newcomers, NewcomerTime)
		}
		if p.Flooded == 0 {
			continue
		}
		if !p.AsQuickAs(quiet) {
			fail("%s: residence p99 %.0f µs, %.1f times that of quiet play", p.Name, p.P99, p.P99/quiet.P99)
		}
		if more := p.Above(quiet); more > MaxMemory {
			fail("%s: %.1f MB more resident than in quiet play", p.Name, float64(more)/(1<<20))
		}
		if want := 0.9 * float64(r.Config.Rate) * r.Config.Duration.Seconds(); float64(p.Flooded) < want {
			r.NotShown = append(r.NotShown, fmt.Sprintf("%s: this machine has sent %.0f ClientHellos a second", p.Name,
				float64(p.Flooded)/r.Config.Duration.Seconds()))
		}
	}
	if !quiet.LossJudged() {
		r.NotShown = append(r.NotShown, fmt.Sprintf("loss: the receive buffer is %d KiB: raise net.core.rmem_max to %d", quiet.Buffer>>10, MinBuffer))
	}
	r.Verdict = "failed"
	if len(r.Failures) == 0 {
		r.Verdict = "ok"
	}
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "flood\tClientHellos/s\tinputs\tlost\tunanswered\tout\tresidence p50\tp99\tresident\tnewcomers in\tslowest")
	for _, p := range r.Phases {
		fmt.Fprintf(t, "%s\t%.0f\t%d\t%d\t%d\t%d\t%.0f µs\t%.0f µs\t%.1f MB\t%d of %d\t%v\n", p.Name,
			float64(p.Flooded)/r.Config.Duration.Seconds(), p.Sent, p.Lost, p.Unanswered, p.Gone, p.P50, p.P99,
			float64(p.Memory)/(1<<20), p.In, p.Newcomers, p.Slowest.Round(time.Millisecond))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range r.Phases {
		fmt.Fprintf(w, "\ndrops, %s: %s", p.Name, p.Drops.Text("none"))
	}
	fmt.Fprintf(w, "\n\nverdict     %s\n", r.Verdict)
	for _, f := range r.Failures {
		fmt.Fprintf(w, "            %s\n", f)
	}
	for _, n := range r.NotShown {
		fmt.Fprintf(w, "not shown   %s\n", n)
	}
	return nil
}
