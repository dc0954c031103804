package subprocess

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// variable says what a subprocess of the tests does.
const variable = "SALLYPORT_SUBPROCESS_TEST"

func TestMain(m *testing.M) {
	does, ok := does[os.Getenv(variable)]
	if !ok {
		os.Exit(m.Run())
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Buffer(nil, maxLine); lines.Scan(); {
		does(lines.Text())
	}
	if os.Getenv(variable) == "stays" {
		time.Sleep(time.Hour)
	}
}

// does are what a line has it do.
var does = map[string]func(line string){
	"echoes": func(line string) { fmt.Printf("{\"line\": %q}\n", line) },
	"fails":  func(line string) { fmt.Printf("{\"error\": %q}\n", "no "+line) },
	"junk":   func(string) { fmt.Println("junk") },
	"silent": func(string) {},
	"stays":  func(line string) { fmt.Printf("{\"line\": %q}\n", line) },
	"dies": func(line string) {
		fmt.Fprintln(os.Stderr, "cannot", line)
		os.Exit(3)
	},
}

// enough is time for a subprocess on a busy machine.
const enough = 30 * time.Second

func begin(t *testing.T, does string) *Process {
	t.Helper()
	p, err := Start(variable, does, (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() }) // it has ended, unless the test has failed
	return p
}

type answer struct{ Line string }

// gone fails unless the process has ended.
func gone(t *testing.T, p *Process) {
	t.Helper()
	other, err := os.FindProcess(p.ID())
	if err == nil && other.Signal(syscall.Signal(0)) == nil {
		t.Error("it runs")
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	p := begin(t, "echoes")
	for _, line := range []string{"one", strings.Repeat("long", 50_000)} {
		var a answer
		if err := p.Ask(line, &a, enough); err != nil || a.Line != line {
			t.Errorf("%d bytes, %v; want %d", len(a.Line), err, len(line))
		}
	}
	for range 2 {
		if err := p.End(enough); err != nil {
			t.Error(err)
		}
	}
	gone(t, p)
	if err := p.Ask("after the end", new(answer), enough); err == nil {
		t.Error("answers after its end")
	}
}

// An answer that is an error, or none at all, is an error of Ask that says what.
func TestFailures(t *testing.T) {
	t.Parallel()
	for does, c := range map[string]struct {
		patience time.Duration
		want     []string
		ends     bool // by itself, with exit status 0
	}{
		"fails":  {enough, []string{"no line"}, true},
		"junk":   {enough, []string{`"junk"`}, true},
		"silent": {time.Second, []string{"does not answer within 1s"}, false},
		"dies":   {enough, []string{"has ended", "exit status 3", "cannot line"}, false},
	} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			p := begin(t, does)
			err := p.Ask("line", new(answer), c.patience)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
			if err := p.End(enough); (err == nil) != c.ends {
				t.Errorf("its end: %v", err)
			}
			gone(t, p)
		})
	}
}

// One that does not end is killed.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Process) error{
		"in time": func(p *Process) error { return p.End(100 * time.Millisecond) },
		"at once": (*Process).Kill,
	} {
		p := begin(t, "stays")
		if err := p.Ask("line", new(answer), enough); err != nil {
			t.Error(err)
		}
		if err := end(p); err == nil {
			t.Errorf("%s: it has ended by itself", name)
		}
		gone(t, p)
	}
}

// What cannot begin is the error of Start, and a subprocess begins no other one.
func TestStart(t *testing.T) {
	if _, err := Start(variable, "echoes", func(*exec.Cmd) error { return os.ErrPermission }); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v, want %v", err, os.ErrPermission)
	}
	t.Setenv(variable, "echoes")
	if _, err := Start(variable, "echoes", (*exec.Cmd).Start); !errors.Is(err, ErrNested) {
		t.Errorf("%v, want %v", err, ErrNested)
	}
}
