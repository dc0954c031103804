//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/lab/endurance"
	"github.com/sallyport/sallyport/internal/lab/flood"
)

// errNothing is that of an output which says nothing of what it should.
var errNothing = errors.New("its output does not have what is looked for")

// readTests reads the output of go test -v.
func readTests(what, bound string) func([]byte) ([]row, error) {
	return func(output []byte) ([]row, error) {
		passed, failures, skipped := count(output, "--- PASS"), count(output, "--- FAIL"), count(output, "--- SKIP")
		if passed == 0 && failures == 0 {
			return nil, errNothing
		}
		r := judged(failures == 0, what, bound, "%d of %d tests", passed, passed+failures)
		if skipped > 0 {
			r.measured += fmt.Sprintf(", %d skipped", skipped)
		}
		return []row{r}, nil
	}
}

func count(output []byte, prefix string) (n int) {
	for text := range strings.Lines(string(output)) {
		if strings.HasPrefix(strings.TrimSpace(text), prefix) {
			n++
		}
	}
	return n
}

// readPackages reads the output of go test.
func readPackages(what string) func([]byte) ([]row, error) {
	return func(output []byte) ([]row, error) {
		passed, failures := count(output, "ok "), count(output, "FAIL")
		if passed == 0 && failures == 0 {
			return nil, errNothing
		}
		return []row{judged(failures == 0, what, "all survived", "%d packages passed", passed)}, nil
	}
}

// number finds the first group of a pattern in a text.
func number(text, pattern string) (float64, bool) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return v, err == nil
}

// numbers finds several; false unless all are there.
func numbers(text string, patterns ...string) (all []float64, found bool) {
	for _, p := range patterns {
		v, ok := number(text, p)
		if !ok {
			return nil, false
		}
		all = append(all, v)
	}
	return all, true
}

// readFlood reads the JSON of internal/lab/flood.
func readFlood(output []byte) (rows []row, err error) {
	var r flood.Report
	if err := json.Unmarshal(output, &r); err != nil {
		return nil, err
	}
	if len(r.Phases) < 3 {
		return nil, errNothing
	}
	quiet := &r.Phases[0]
	for i := range r.Phases[1:] {
		p := &r.Phases[1+i]
		from := fmt.Sprintf("%d ClientHellos from %s", p.Flooded, p.Name)
		rows = append(rows, judged(p.Undisturbed(), from+": players put out", "0", "%d, %d resumed", p.Gone, p.Resumed))
		lost := judged(p.LostLittle(), "inputs lost", "0.1 %", "%d of %d", p.Lost, p.Sent)
		if !p.LossJudged() {
			lost.verdict = notShown
		}
		residence := judged(p.AsQuickAs(quiet), "residence, p99", "3 times that of quiet play",
			"%.0f µs, %.1f times", p.P99, p.P99/quiet.P99)
		if p.Measured == 0 {
			residence.verdict, residence.measured = notShown, "needs CAP_NET_RAW"
		}
		rows = append(rows, lost, residence)
		if p.Newcomers > 0 {
			rows = append(rows, judged(p.In == p.Newcomers, "newcomers from there, in within 2 s", "all", "%d of %d, the slowest after %v",
				p.In, p.Newcomers, p.Slowest.Round(time.Millisecond)))
		}
		rows = append(rows, judged(p.Above(quiet) <= flood.MaxMemory, "memory above quiet play", "16 MB", "%.1f MB",
			float64(p.Above(quiet))/(1<<20)))
	}
	return rows, nil
}

// readHostile reads what TestHostile logs.
func readHostile(output []byte) ([]row, error) {
	text := string(output)
	n, found := numbers(text, `(\d+) hostile datagrams`, `(\d+) of them copies`, `(\d+) a second for each`, `(\d+) inputs of players`)
	if !found {
		return nil, errNothing
	}
	held := count(output, "--- PASS: TestHostile") == 1
	return []row{
		judged(held, "hostile datagrams through a live listener: sessions harmed", "0", "%s of %.0f", someOrNone(held), n[0]),
		judged(held, "copies and forgeries of what players send: accepted", "0", "%s of %.0f, %.0f a second for each player",
			someOrNone(held), n[1], n[2]),
		judged(held, "inputs of the players meanwhile", "each answered once", "%.0f", n[3]),
	}, nil
}

// readFuzz reads what tools/fuzz.sh prints: a line for each target.
func readFuzz(output []byte) ([]row, error) {
	targets, failures, executed := count(output, "-- "), count(output, "--- FAIL"), executions(string(output))
	if targets == 0 || executed == 0 && failures == 0 {
		return nil, errNothing
	}
	return []row{judged(failures == 0, "fuzz targets: findings", "0", "%d in %d targets, %d executions", failures, targets, executed)}, nil
}

// someOrNone is what a test says that only passes or fails: how many it does not count.
func someOrNone(held bool) string {
	if held {
		return "none"
	}
	return "some"
}

// executions adds up the last count of each target.
func executions(output string) (sum int) {
	last := 0
	for text := range strings.Lines(output) {
		if strings.HasPrefix(text, "-- ") {
			sum, last = sum+last, 0
		}
		if n, ok := number(text, `execs: (\d+)`); ok {
			last = int(n)
		}
	}
	return sum + last
}

// readSoak reads the JSON of internal/lab/endurance.
func readSoak(output []byte) (rows []row, err error) {
	var r endurance.Report
	if err := json.Unmarshal(output, &r); err != nil {
		return nil, err
	}
	var sent, lost uint64
	for _, g := range r.Groups {
		sent, lost = sent+g.Sent, lost+g.Lost
	}
	rows = append(rows, judged(r.OK(), fmt.Sprintf("%d players, and hostile ones: promises broken", r.Players), "0", "%d; %d of %d inputs lost",
		len(r.Failures), lost, sent))
	for _, f := range r.Flat {
		rows = append(rows, judged(f.Held, "server's "+f.What, f.Bound, "%s, at first %s", f.Last, f.First))
	}
	return rows, nil
}

// readConformance reads the last row of the table of conformance/check.py.
func readConformance(output []byte) ([]row, error) {
	n, found := numbers(string(output), `(?m)^\s*all\s+(\d+)`, `(?m)^\s*all\s+\d+\s+(\d+)`, `(?m)^\s*all\s+\d+\s+\d+\s+(\d+)`)
	if !found {
		return nil, errNothing
	}
	return []row{judged(n[0] == n[2], "vectors that a reader in Python, written by PROTOCOL.md alone, agrees with", "all",
		"%.0f of %.0f, %.0f comparisons", n[2], n[0], n[1])}, nil
}

// readMatrix reads the report of internal/lab/matrix.
func readMatrix(output []byte) ([]row, error) {
	n, found := numbers(string(output), `(\d+) cells`)
	failures := count(output, "--- FAIL")
	if !found && failures == 0 {
		return nil, errNothing
	}
	if !found {
		n = []float64{0}
	}
	return []row{judged(failures == 0, "matches over networks and clocks of a table, in virtual time: promises broken", "0",
		"%d in %.0f cells", failures, n[0])}, nil
}

// readFilter reads what the test of the filter's cost logs.
func readFilter(output []byte) ([]row, error) {
	if count(output, "--- SKIP") > 0 {
		return []row{{what: "CPU of the filter for a datagram, of the socket's", bound: "1/5", measured: "needs BPF", verdict: notShown}}, nil
	}
	failed := count(output, "--- FAIL") > 0
	var rows []row
	for text := range strings.Lines(string(output)) {
		what, figures, found := strings.Cut(text, " ns; the socket's receive path")
		if ratio, is := number(figures, `ns: (\d+\.\d+)`); found && is {
			what, nanoseconds := cutLast(strings.TrimSpace(what))
			_, what, _ = strings.Cut(what, ".go:")
			_, what, _ = strings.Cut(what, ": ")
			rows = append(rows, judged(!failed && ratio <= 0.2, "CPU of the filter, of the socket's: "+what, "1/5", "%.3f, %s ns", ratio, nanoseconds))
		}
	}
	if len(rows) == 0 {
		return nil, errNothing
	}
	return rows, nil
}

// cutLast cuts off the last word.
func cutLast(text string) (rest, word string) {
	i := strings.LastIndexByte(text, ' ')
	return strings.TrimSpace(text[:i+1]), text[i+1:]
}
