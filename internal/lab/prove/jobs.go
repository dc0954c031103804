//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// job is a part of the proof.
type job struct {
	name    string
	command func(o options) line
	read    func(output []byte) ([]row, error)
}

// line is a command line: in a folder of the module, with variables in its environment.
type line struct {
	folder string // empty means the root
	env    []string
	words  []string
	both   bool // what it says while it works is read, too
}

// String returns the line as a shell takes it.
func (l line) String() string {
	text := strings.Join(append(append([]string{}, l.env...), l.words...), " ")
	if l.folder != "" {
		text = "cd " + l.folder + " && " + text
	}
	return text
}

func sh(text string) line { return line{words: strings.Fields(text)} }

// either chooses a command.
func either(full, quick string) func(options) line {
	return func(o options) line {
		if o.quick {
			return sh(quick)
		}
		return sh(full)
	}
}

// always is one command.
func always(text string) func(options) line { return either(text, text) }

// jobs are all parts, the longest last.
var jobs = []job{
	{"conformance", always("python3 conformance/check.py"), readConformance},
	{"attacks", always("go test -count=1 -v -run TestAttacks ./examples/client"), readTests("attacks of a cheat, as README shows them", "all held")},
	{
		"newcomers", always("go test -count=1 -v -run TestForgeriesAmidHandshake ./transport"),
		readTests("newcomers in whose name, or the server's, 3 to 3,000 datagrams a second are forged, in virtual time", "all in within 2 s"),
	},
	{"faults", always("go test -count=1 -race -short ./internal/udp ./internal/machine ./transport ./token ./audit"), readPackages("faults of sockets, disks, clocks and identity providers, under the race detector")},
	{"matrix", func(o options) line {
		l := sh("go test -count=1 -timeout=0 -v -run TestMatrix ./internal/lab/matrix")
		if !o.quick {
			l.env = []string{"SALLYPORT_MATRIX=full"}
		}
		return l
	}, readMatrix},
	{"flood", either("go run ./internal/lab/flood/run -json -alone -duration 30s", "go run ./internal/lab/flood/run -json -alone -duration 10s"), readFlood},
	{"filter", func(options) line {
		l := sh("go test -count=1 -v -run TestReach ./cmd/sallyport-filter")
		l.folder = "filter"
		return l
	}, readFilter},
	{"hostile", either("go test -count=1 -timeout=0 -v -run TestHostile ./fuzz -hostile 10000000",
		"go test -count=1 -timeout=0 -v -run TestHostile ./fuzz -hostile 300000"), readHostile},
	{"fuzz", func(o options) line {
		l := either("tools/fuzz.sh 20s", "tools/fuzz.sh 5000x 2")(o)
		l.both = true
		return l
	}, readFuzz},
	{"soak", func(o options) line {
		if o.quick {
			return sh("go run ./internal/lab/endurance/run -json -duration 60s")
		}
		return sh(fmt.Sprintf("go run ./internal/lab/endurance/run -json -players 2000 -duration %v -svg soak.svg", o.soak))
	}, readSoak},
}

func names() (all []string) {
	for _, j := range jobs {
		all = append(all, j.name)
	}
	return all
}

// run runs the command and reads what it has printed. A command that fails has failed even if all that
// it has printed is well.
func (j job) run(ctx context.Context, l line, progress io.Writer) []row {
	c := exec.CommandContext(ctx, l.words[0], l.words[1:]...)
	c.Dir, c.Env = l.folder, append(os.Environ(), l.env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) } // "go run" does not pass it on
	c.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, io.MultiWriter(&stderr, indented{progress})
	if l.both {
		c.Stdout = io.MultiWriter(&stdout, indented{progress})
		c.Stderr = c.Stdout // in one order
	}
	failure := c.Run()
	rows, err := j.read(stdout.Bytes())
	switch {
	case failure != nil && (err != nil || worst(rows) != failed):
		rows = append(rows, row{what: j.name, measured: fmt.Sprintf("%v: %s", failure, last(stdout.Bytes(), stderr.Bytes())), verdict: failed})
	case err != nil:
		rows = append(rows, row{what: j.name, measured: err.Error(), verdict: failed})
	}
	if worst(rows) == failed {
		j.keep(progress, stdout.Bytes(), stderr.Bytes())
	}
	return rows
}

// keep writes what a command has printed into a file, so that whoever looks for the cause of a failure
// that comes once in a hundred runs need not wait for the next.
func (j job) keep(progress io.Writer, outputs ...[]byte) {
	f, err := os.CreateTemp("", "sallyport-prove-"+j.name+"-*.txt")
	if err == nil {
		_, err = f.Write(bytes.Join(outputs, nil))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintf(progress, "   its output could not be kept: %v\n", err)
		return
	}
	fmt.Fprintf(progress, "   its output is in %s\n", f.Name())
}

// last is the last line that was printed.
func last(outputs ...[]byte) (text string) {
	for _, b := range outputs {
		if lines := strings.Split(strings.TrimSpace(string(b)), "\n"); lines[len(lines)-1] != "" {
			text = lines[len(lines)-1]
		}
	}
	return text
}

// indented passes on what a command says while it works.
type indented struct{ w io.Writer }

func (i indented) Write(b []byte) (int, error) {
	for text := range strings.Lines(string(b)) {
		if _, err := io.WriteString(i.w, "   "+text); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
