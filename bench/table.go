//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ours is whom the ratios are about.
const ours = "sallyport"

// titles say what the figures of a work are.
var titles = []struct{ work, title string }{
	{"echo", "Echo: server CPU in µs for one datagram in and one out (w: datagrams under way for each player; then players)"},
	{"paced", "Paced, 60 datagrams a second from each player: server CPU in µs for one datagram in and one out"},
	{"push", "Push, four times 48 bytes to each of 100 players in a tick of 60 Hz, and one back: server CPU in µs for a player and tick"},
	{"ingest", "Ingest from 100 players: server CPU in µs for one datagram of so many bytes in"},
	{"handshake", "Handshakes, so many at once: server CPU in µs for one, with first echo and close"},
	{"idle", "Idle: bytes of resident memory for each player after a garbage collection"},
}

// report is the results by cell and peer, in rounds.
type report struct {
	cells   []cell
	figures map[string]map[int]result // by "cell/peer", then by round
}

func newReport(all []cell, results []result) *report {
	r := &report{cells: all, figures: make(map[string]map[int]result)}
	for _, res := range results {
		key := res.Cell + "/" + res.Peer
		if r.figures[key] == nil {
			r.figures[key] = make(map[int]result)
		}
		r.figures[key][res.Round] = res
	}
	return r
}

// column is a peer's figures in a cell, sorted.
func (r *report) column(cell, peer string) []float64 {
	var list []float64
	for _, res := range r.figures[cell+"/"+peer] {
		list = append(list, res.Figure)
	}
	slices.Sort(list)
	return list
}

// ratios are a's figures over b's, of the rounds that both have, sorted.
func (r *report) ratios(cell, a, b string) []float64 {
	var list []float64
	of := r.figures[cell+"/"+b]
	for round, res := range r.figures[cell+"/"+a] {
		if other, ok := of[round]; ok && other.Figure > 0 {
			list = append(list, res.Figure/other.Figure)
		}
	}
	slices.Sort(list)
	return list
}

// quantile of a sorted list, the mean of two neighbours where it falls between.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	next := min(i+1, len(sorted)-1)
	return sorted[i] + (at-float64(i))*(sorted[next]-sorted[i])
}

// spread writes a median and the quartiles around it.
func spread(sorted []float64, format string) string {
	f := func(q float64) string { return fmt.Sprintf(format, quantile(sorted, q)) }
	return f(0.5) + " (" + f(0.25) + "–" + f(0.75) + ")"
}

func printTables(w io.Writer, p *plan, all []cell, results []result, outcomes []outcome) error {
	r := newReport(all, results)
	var b strings.Builder
	r.head(&b, p, results)
	for _, t := range titles {
		r.table(&b, t.work, t.title)
	}
	r.goals(&b)
	writeMatrix(&b, outcomes)
	_, err := io.WriteString(w, b.String())
	return err
}

// head says where, when and how; the reader says how far to trust it.
func (r *report) head(b *strings.Builder, p *plan, results []result) {
	others := []float64{0}
	for _, res := range results {
		others = append(others, res.Others)
	}
	slices.Sort(others)
	fmt.Fprintf(b, "Measured on %s: %s.\n", time.Now().Format(time.DateOnly), host())
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(b, "Loopback, server on one processor, client on another; %d rounds of %v; other work on the machine took %.2f processors (median).\n",
		p.rounds, p.seconds, quantile(others, 0.5))
	fmt.Fprintf(b, "An entry is the median and the quartiles; behind it, what %s takes over what the peer takes: the median of the rounds.\n", ours)
}

func (r *report) table(b *strings.Builder, work, title string) {
	var columns []string
	for _, c := range r.cells {
		if c.Work == work {
			columns = append(columns, c.Name)
		}
	}
	var rows strings.Builder
	for i := range peers {
		r.row(&rows, columns, peers[i].name)
	}
	if rows.Len() == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n| peer | %s |\n|---%s|\n%s", title, strings.Join(columns, " | "), strings.Repeat("|---", len(columns)), rows.String())
}

// row is nothing for a peer that has no part in the work.
func (r *report) row(b *strings.Builder, columns []string, peer string) {
	entries, any := make([]string, len(columns)), false
	for i, cell := range columns {
		entries[i] = "–"
		if list := r.column(cell, peer); len(list) > 0 {
			entries[i], any = spread(list, precision(quantile(list, 0.5))), true
			if ratio := r.ratios(cell, ours, peer); len(ratio) > 0 && peer != ours {
				entries[i] += fmt.Sprintf(" **%.2f**", quantile(ratio, 0.5))
			}
		}
	}
	if any {
		fmt.Fprintf(b, "| %s | %s |\n", peer, strings.Join(entries, " | "))
	}
}

// precision is three digits or so.
func precision(v float64) string {
	switch {
	case v < 10:
		return "%.2f"
	case v < 100:
		return "%.1f"
	}
	return "%.0f"
}
