//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/endurance"
	"github.com/sallyport/sallyport/internal/lab/flood"
)

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reports are floods: within every promise, and beyond each.
func floods(change func(p *flood.Phase)) flood.Report {
	quiet := flood.Phase{Name: "quiet", Sent: 1000, P99: 100, Measured: 1000, Buffer: flood.MinBuffer}
	p := flood.Phase{Name: "elsewhere", Sent: 10000, Lost: 10, P99: 300, Measured: 1000, Memory: flood.MaxMemory, Buffer: flood.MinBuffer, Flooded: 1000}
	own := p
	own.Name, own.Newcomers, own.In = "own /24", 20, 20
	change(&own)
	return flood.Report{Phases: []flood.Phase{quiet, p, own}}
}

func TestRead(t *testing.T) {
	soak := func(held bool) []byte {
		r := endurance.Report{Players: 10, Flat: []endurance.Flat{{What: "goroutines", Held: held}}, Verdict: "ok"}
		if !held {
			r.Verdict = "failed"
		}
		return marshal(t, r)
	}
	for name, c := range map[string]struct {
		read   func([]byte) ([]row, error)
		output []byte
		want   string // the worst verdict; empty means an error
	}{
		"tests":                  {readTests("x", "y"), []byte("--- PASS: TestA (0.1s)\n    --- PASS: TestA/b (0.1s)\nok\n"), ok},
		"a test that fails":      {readTests("x", "y"), []byte("--- PASS: TestA (0.1s)\n--- FAIL: TestB (0.1s)\n"), failed},
		"no tests":               {readTests("x", "y"), []byte("testing: warning: no tests to run\nok\n"), ""},
		"packages":               {readPackages("x"), []byte("ok  \ta\t1s\nok  \tb\t2s\n"), ok},
		"a package that fails":   {readPackages("x"), []byte("ok  \ta\t1s\nFAIL\tb\t2s\n"), failed},
		"no package":             {readPackages("x"), nil, ""},
		"vectors":                {readConformance, []byte("15.1  envelopes  19  38  19\n      all  355  1569  355\n"), ok},
		"a vector that fails":    {readConformance, []byte("      all  355  1569  354\n"), failed},
		"no vectors":             {readConformance, nil, ""},
		"floods":                 {readFlood, marshal(t, floods(func(*flood.Phase) {})), ok},
		"a player is out":        {readFlood, marshal(t, floods(func(p *flood.Phase) { p.Gone = 1 })), failed},
		"a player resumes":       {readFlood, marshal(t, floods(func(p *flood.Phase) { p.Resumed = 1 })), failed},
		"an input more":          {readFlood, marshal(t, floods(func(p *flood.Phase) { p.Lost++ })), failed},
		"a small buffer":         {readFlood, marshal(t, floods(func(p *flood.Phase) { p.Buffer--; p.Lost = 999 })), notShown},
		"too long":               {readFlood, marshal(t, floods(func(p *flood.Phase) { p.P99++ })), failed},
		"no packet socket":       {readFlood, marshal(t, floods(func(p *flood.Phase) { p.Measured = 0 })), notShown},
		"a newcomer fewer":       {readFlood, marshal(t, floods(func(p *flood.Phase) { p.In-- })), failed},
		"a byte more":            {readFlood, marshal(t, floods(func(p *flood.Phase) { p.Memory++ })), failed},
		"no phases":              {readFlood, []byte("{}"), ""},
		"hostile":                {readHostile, []byte(hostileLog + "--- PASS: TestHostile (3s)\n"), ok},
		"harmed":                 {readHostile, []byte(hostileLog + "--- FAIL: TestHostile (3s)\n"), failed},
		"nobody hostile":         {readHostile, []byte("ok\n"), ""},
		"targets":                {readFuzz, []byte("-- ./fuzz FuzzA\nfuzz: elapsed: 3s, execs: 100 (33/sec)\nfuzz: elapsed: 6s, execs: 300 (33/sec)\nPASS\n"), ok},
		"a finding":              {readFuzz, []byte("-- ./fuzz FuzzA\n--- FAIL: FuzzA (1s)\n"), failed},
		"no target":              {readFuzz, nil, ""},
		"no execution":           {readFuzz, []byte("-- ./fuzz FuzzA\nPASS\n"), ""},
		"cells":                  {readMatrix, []byte("    report: 120 cells\n--- PASS: TestMatrix (1s)\n"), ok},
		"a cell that fails":      {readMatrix, []byte("    report: 120 cells\n    --- FAIL: TestMatrix/x (1s)\n--- FAIL: TestMatrix (1s)\n"), failed},
		"no cell":                {readMatrix, []byte("ok\n"), ""},
		"a filter that is quick": {readFilter, []byte(filterLog + "--- PASS: TestReach (1s)\n"), ok},
		"one that is slow":       {readFilter, []byte(strings.Replace(filterLog, "0.025", "0.201", 1) + "--- PASS: TestReach (1s)\n"), failed},
		"one that may not be":    {readFilter, []byte("--- SKIP: TestReach (0s)\n"), notShown},
		"no filter":              {readFilter, nil, ""},
		"a soak":                 {readSoak, soak(true), ok},
		"one that grows":         {readSoak, soak(false), failed},
		"none":                   {readSoak, []byte("x"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := c.read(c.output)
			if (err != nil) != (c.want == "") {
				t.Fatalf("error %v, want one: %v", err, c.want == "")
			}
			if err == nil && worst(rows) != c.want {
				t.Errorf("%+v, want %s", rows, c.want)
			}
		})
	}
	if n := executions("-- a\nexecs: 100 (\nexecs: 300 (\n-- b\nexecs: 7 (\n"); n != 307 {
		t.Errorf("%d executions, want 307", n)
	}
}

const hostileLog = `    hostile_test.go:82: 100000 hostile datagrams in 2.454s, 40749 a second, of 173 inputs in corpora
    hostile_test.go:83: 25000 of them copies and forgeries of what 8 players had sent, 1273 a second for each
    hostile_test.go:85: 907 inputs of players, each answered once; +213 KiB on the heap
`

const filterLog = `            reach_test.go:84: a stranger's input, 100 bytes: dropped           41 ns; the socket's receive path  1174 ns: 0.035
            reach_test.go:84: a stranger's datagram, 1,200 bytes: dropped      41 ns; the socket's receive path  1640 ns: 0.025
`

func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // for what failed commands have printed
	j := job{"x", always(""), readPackages("x")}
	for text, want := range map[string]string{
		"echo ok a 1s": ok, "false": failed, "no-such-program-here": failed, "echo nothing": failed,
	} {
		var progress bytes.Buffer
		if rows := j.run(t.Context(), sh(text), &progress); worst(rows) != want {
			t.Errorf("%s: %+v, want %s", text, rows, want)
		}
	}
	both := line{words: []string{"sh", "-c", "echo >&2 ok a 1s"}, both: true}
	if rows := j.run(t.Context(), both, &bytes.Buffer{}); worst(rows) != ok {
		t.Errorf("what it says while it works is not read: %+v", rows)
	}
	// A command that fails has failed, whatever it has said before.
	l := line{words: []string{"sh", "-c", "echo ok a 1s; echo >&2 something went wrong; exit 1"}}
	var progress bytes.Buffer
	rows := j.run(t.Context(), l, &progress)
	if worst(rows) != failed || !strings.Contains(rows[len(rows)-1].measured, "something went wrong") {
		t.Errorf("%+v", rows)
	}
	_, name, _ := strings.Cut(strings.TrimSpace(progress.String()), "its output is in ")
	if kept, err := os.ReadFile(name); err != nil || string(kept) != "ok a 1s\nsomething went wrong\n" {
		t.Errorf("%q was kept, %v: %q", kept, err, progress.String())
	}
}

// Each command names what is there.
func TestJobs(t *testing.T) {
	for _, o := range []options{{quick: true}, {soak: time.Hour}} {
		for _, j := range jobs {
			l := j.command(o)
			for _, w := range l.words {
				if strings.HasPrefix(w, "./") || strings.HasSuffix(w, ".py") || strings.HasSuffix(w, ".sh") {
					if _, err := os.Stat("../../../" + l.folder + "/" + w); err != nil {
						t.Errorf("%s: %v", l, err)
					}
				}
			}
		}
	}
}

func TestTable(t *testing.T) {
	rows := []row{
		{"a", "0", "0", ok, "first"}, {"b", "1", "2", failed, "first"}, {"c", "1", "", notShown, "second"},
	}
	for _, markdown := range []bool{false, true} {
		var b bytes.Buffer
		if err := writeTable(&b, rows, markdown); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); strings.Count(text, "first") != 1 || strings.Count(text, "second") != 1 || !strings.Contains(text, failed) {
			t.Errorf("markdown %v:\n%s", markdown, text)
		}
	}
	if worst(nil) != failed || worst(rows[:1]) != ok || worst(rows[2:]) != notShown || worst(rows) != failed {
		t.Error("worst is not the worst verdict")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-only", "nothing"}, {"flood"}, {"-unknown"}} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), args, &out, &errs); status != 2 || errs.Len() == 0 {
			t.Errorf("%v: status %d, %q", args, status, errs.String())
		}
	}
}
