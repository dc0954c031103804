package reach

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Print writes the table.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what string, bound any, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%v\t%s\n", what, bound, fmt.Sprintf(format, args...))
	}
	row("", "bound", "")
	row("publish to last datagram", BoundCalm, "%s", summary(Lasts(r.Calm)))
	row("the same, a NATS server killed", BoundKilled, "%s", summary(Lasts(r.Killed)))
	row("all connected after a kill", "", "%s", summary(r.Reconnected))
	row("stored without JetStream's leader", BoundLeader, "%v", ms(r.Leader))
	row("a used token elsewhere, 250 ms later", "0 taken", "%d taken of %d", r.Taken, r.Shown)
	row("bytes of a stored record", BoundBytes, "%.1f", r.Bytes)
	row(fmt.Sprintf("start with %d stored", r.Stored+r.More), BoundStart, "%v", ms(r.Start))
	return t.Flush()
}

// Err says which bound was exceeded. What a busy machine may have added does not count: on one that is idle
// that is nothing.
func (r Report) Err() (err error) {
	hold := func(what string, got, bound time.Duration) {
		if got > bound {
			err = errors.Join(err, fmt.Errorf("%s: %v without what the machine was late, want %v at most", what, got, bound))
		}
	}
	hold("publish to last datagram, p99", Percentile(inTime(r.Calm), 99), BoundCalm)
	hold("publish to last datagram with a NATS server killed, p99", Percentile(inTime(r.Killed), 99), BoundKilled)
	hold("stored without JetStream's leader", r.Leader-r.LeaderLate, BoundLeader)
	hold("start", r.Start-r.StartLate, BoundStart)
	if r.Taken > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d used tokens were taken again", r.Taken, r.Shown))
	}
	if r.Bytes > BoundBytes {
		err = errors.Join(err, fmt.Errorf("%.1f bytes a record, want %d at most", r.Bytes, BoundBytes))
	}
	return err
}

func summary(d []time.Duration) string {
	if len(d) == 0 {
		return "-"
	}
	return fmt.Sprintf("p50 %v, p99 %v, max %v of %d", ms(Percentile(d, 50)), ms(Percentile(d, 99)), ms(Percentile(d, 100)), len(d))
}

func ms(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
