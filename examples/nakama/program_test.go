//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// patience is how long anything may take that should take milliseconds.
const patience = 20 * time.Second

// program is a server that runs beside the test.
type program struct {
	testkit.Console

	cmd   *exec.Cmd
	ended chan struct{}
}

// start starts a program, which ends with the test at the latest. What it printed is shown if the test fails.
func start(t *testing.T, attr *syscall.SysProcAttr, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.SysProcAttr, p.cmd.Dir = attr, os.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = &p.Console, &p.Console
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState says how it ended
	}()
	t.Cleanup(func() {
		p.stop(syscall.SIGINT)
		if t.Failed() {
			t.Logf("%s says:\n%s", name, &p.Console)
		}
	})
	return p
}

// stop asks the program to end, insists after a while, and returns its exit status.
func (p *program) stop(sig os.Signal) int {
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.cmd.ProcessState.ExitCode()
}

// await waits until the program has printed text.
func (p *program) await(t *testing.T, text string) {
	t.Helper()
	await(t, text, func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the program ended before it printed %q", text)
		default:
		}
		return strings.Contains(p.String(), text)
	})
}

// await waits until what is true.
func await(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// run runs a program to its end.
func run(t *testing.T, attr *syscall.SysProcAttr, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr, cmd.Dir = attr, os.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
