//go:build linux

package main

import (
	"fmt"
	"strings"
)

// goal is a promise: of two peers of one round, the first takes at most so many
// times what the second takes. Without a second the limit is the figure's own.
type goal struct {
	cell, peer, over string
	limit            float64
}

var goals = []goal{
	{"echo-w1-100", ours, "floor", 1.15},
	{"echo-w1-1000", ours, "floor", 1.15},
	{"echo-w8-100", ours, "floor-gso", 1.15},
	{"echo-w8-1000", ours, "floor-gso", 1.15},
	{"echo-w1-100", ours, "pion2", 0.45},
	{"echo-w1-1000", ours, "pion2", 0.45},
	{"echo-w1-100", ours, "quic", 0.3},
	{"echo-w1-1000", ours, "quic", 0.3},
	{"paced-100", ours, "udp", 0.85},
	{"paced-1000", ours, "udp", 0.85},
	{"push-100", "packed-plain", "data-plain", 0.45},
	{"push-100", "packed", "data", 0.9},
	{"handshake-1", "sallyport-dtls", "pion2", 1.05},
	{"handshake-8", "sallyport-dtls", "pion2", 1.05},
	{"idle", ours, "", 4096},
}

// goals says how the run compares with what was promised.
func (r *report) goals(b *strings.Builder) {
	var rows strings.Builder
	for _, g := range goals {
		list, what := r.column(g.cell, g.peer), g.peer
		if g.over != "" {
			list, what = r.ratios(g.cell, g.peer, g.over), g.peer+" / "+g.over
		}
		if len(list) == 0 {
			continue
		}
		verdict := "met"
		if quantile(list, 0.5) > g.limit {
			verdict = "not met"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %g | %s |\n", g.cell, what, spread(list, precision(quantile(list, 0.5))), g.limit, verdict)
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n### Goals\n\n| cell | what | median (quartiles) | at most | |\n|---|---|---|---|---|\n%s", rows.String())
	}
}
