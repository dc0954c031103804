//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// cellOf is one condition for one contender: medians of the rounds, lest one in
// which the machine stood still decides.
type cellOf struct {
	quiet, loaded           spreadOf
	small, large, cpu, bulk float64
}

// spreadOf is the median and the 99th percentile, in ms.
type spreadOf struct{ p50, p99 float64 }

func quantiles(d delays) spreadOf {
	if len(d) == 0 {
		return spreadOf{}
	}
	sorted := slices.Sorted(slices.Values(d))
	return spreadOf{quantile(sorted, 0.5), quantile(sorted, 0.99)}
}

// matrixReport is the cells by condition and contender.
type matrixReport map[[2]string]*cellOf

func newMatrixReport(all []outcome) matrixReport {
	by := make(map[[2]string][]outcome)
	for _, o := range all {
		key := [2]string{o.Condition, o.Contender}
		by[key] = append(by[key], o)
	}
	r := make(matrixReport)
	for key, list := range by {
		r[key] = newCellOf(list)
	}
	return r
}

func newCellOf(list []outcome) *cellOf {
	median := func(figure func(*outcome) float64) float64 {
		var of []float64
		for i := range list {
			of = append(of, figure(&list[i]))
		}
		slices.Sort(of)
		return quantile(of, 0.5)
	}
	c := new(cellOf)
	c.quiet.p50 = median(func(o *outcome) float64 { return quantiles(o.Quiet).p50 })
	c.quiet.p99 = median(func(o *outcome) float64 { return quantiles(o.Quiet).p99 })
	c.loaded.p50 = median(func(o *outcome) float64 { return quantiles(o.Loaded).p50 })
	c.loaded.p99 = median(func(o *outcome) float64 { return quantiles(o.Loaded).p99 })
	c.small = median(func(o *outcome) float64 { return o.Small })
	c.large = median(func(o *outcome) float64 { return o.Large })
	c.cpu = median(func(o *outcome) float64 { return o.CPU })
	c.bulk = median(func(o *outcome) float64 { return o.BulkCPU })
	return c
}

// matrixTitles are the tables, and how they show a cell.
var matrixTitles = []struct {
	title string
	entry func(c *cellOf) string
}{
	{"Messages of 200 bytes, reliable, 60 a second: p99 of the way one way in ms, and with the bulk goodput of 5 MB in KB/s", func(c *cellOf) string {
		return fmt.Sprintf("%.0f ms, %.0f", c.quiet.p99, c.large/1e3)
	}},
	{"The same: p50 in ms, and goodput of the first 512 KB in KB/s", func(c *cellOf) string {
		return fmt.Sprintf("%.0f ms, %.0f", c.quiet.p50, c.small/1e3)
	}},
	{"What the bulk adds to p50 and p99 of the messages, in ms", func(c *cellOf) string {
		return fmt.Sprintf("%+.0f, %+.0f", c.loaded.p50-c.quiet.p50, c.loaded.p99-c.quiet.p99)
	}},
	{"CPU of both ends: µs for each message without the bulk, ms for each MB of the bulk", func(c *cellOf) string {
		return fmt.Sprintf("%.0f µs, %.1f ms", c.cpu, c.bulk)
	}},
}

// writeMatrix appends the tables; nothing if nothing was measured.
func writeMatrix(b *strings.Builder, all []outcome) {
	if len(all) == 0 {
		return
	}
	rounds, late := 0, []float64{}
	for i := range all {
		rounds, late = max(rounds, all[i].Round+1), append(late, 100*all[i].Behind)
	}
	slices.Sort(late)
	fmt.Fprintf(b, "\nMessages: %d rounds; the relay was woken late in %.2f %% of cases (median), %.2f %% in the worst trial.\n",
		rounds, quantile(late, 0.5), quantile(late, 1))
	r := newMatrixReport(all)
	for _, t := range matrixTitles {
		r.table(b, t.title, t.entry)
	}
	r.verdicts(b)
	for i := range contenders {
		if c := &contenders[i]; !c.present() {
			fmt.Fprintf(b, "\n%s did not take part: %s.\n", c.name, c.missing())
		}
	}
}

func (r matrixReport) table(b *strings.Builder, title string, entry func(*cellOf) string) {
	var names []string
	for i := range contenders {
		name := contenders[i].name
		if slices.ContainsFunc(conditions(), func(c condition) bool { return r[[2]string{c.Name, name}] != nil }) {
			names = append(names, name)
		}
	}
	fmt.Fprintf(b, "\n### %s\n\n| link | %s |\n|---%s|\n", title, strings.Join(names, " | "), strings.Repeat("|---", len(names)))
	for _, c := range conditions() {
		row, any := []string{c.String()}, false
		for _, name := range names {
			text := "–"
			if cell := r[[2]string{c.Name, name}]; cell != nil {
				text, any = entry(cell), true
			}
			row = append(row, text)
		}
		if any {
			fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		}
	}
}

// verdicts say for each condition who is ahead.
func (r matrixReport) verdicts(b *strings.Builder) {
	fmt.Fprintf(b, "\n### Who is ahead\n\n| link | p99 | goodput of 5 MB |\n|---|---|---|\n")
	behind, level, cells := 0, 0, 0
	for _, c := range conditions() {
		latency := r.best(c.Name, levelDelay, func(c *cellOf) float64 { return c.quiet.p99 })
		goodput := r.best(c.Name, 0, func(c *cellOf) float64 { return -c.large })
		if latency.first == "" {
			continue
		}
		for _, s := range []standing{latency, goodput} {
			if s.measured {
				cells++
			}
			switch {
			case s.level:
				level++
			case s.measured && s.first != ours:
				behind++
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.String(), latency.String(), goodput.String())
	}
	if cells > 0 {
		fmt.Fprintf(b, "\n%s is behind in %d of %d, and level in %d: within a millisecond of the best.\n", ours, behind, cells, level)
	}
}

// levelDelay is the difference between two p99 in ms that says nothing: the relay's timers ring so
// late.
const levelDelay = 1

// standing is who is first, and how ours compares with the best of the others.
type standing struct {
	first    string
	ratio    float64 // ours over the best rival's
	measured bool    // both were
	level    bool    // ours is not first, but as good
}

// String names the first, and the ratio if there is one.
func (s *standing) String() string {
	if s.level {
		return "level"
	}
	if !s.measured {
		return s.first
	}
	return fmt.Sprintf("%s (%.2f)", s.first, s.ratio)
}

// best compares the contenders in one condition: less is better, and slack more is as good.
func (r matrixReport) best(condition string, slack float64, figure func(*cellOf) float64) standing {
	var s standing
	var rival, own float64
	for i := range contenders {
		c := r[[2]string{condition, contenders[i].name}]
		switch {
		case c == nil:
		case contenders[i].name == uninsured: // ours, too
		case contenders[i].name == "gns": // it is told what the link carries
		case contenders[i].name == ours:
			own, s.measured = figure(c), true
		case s.first == "" || figure(c) < rival:
			rival, s.first = figure(c), contenders[i].name
		}
	}
	switch {
	case s.first == "" && s.measured:
		return standing{first: ours}
	case s.measured && rival != 0:
		s.ratio = own / rival
		if own <= rival {
			s.first = ours
		} else {
			s.level = own <= rival+slack
		}
	}
	return s
}
