// Package subprocess runs this program's own executable again, as a process that answers what it is asked.
//
//	this process                                          the other one
//	  Start   a variable in its environment  ──────────▶  main finds it, and serves
//	  Ask     a line on standard input       ──────────▶
//	                                         ◀──────────  a line on standard output: an object in JSON,
//	                                                      with the field "error" if it has failed
//	  End     the end of standard input      ──────────▶  ends
//
// What it says on standard error is kept for the error of End.
package subprocess

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// maxLine bounds an answer, in bytes: far more than a server's counters.
const maxLine = 1 << 20

// ErrNested keeps a program whose main does not look for its variable from starting itself again and again.
var ErrNested = errors.New("subprocess: this process is one itself: main must begin as the package that starts it says")

// Process is the other process. One goroutine at a time may use it.
type Process struct {
	command *exec.Cmd
	in      io.WriteCloser
	answers chan []byte // closed when its output ends
	said    bytes.Buffer

	ending sync.Once
	ended  error
}

// Start runs this program with a variable in its environment. By start it begins: (*exec.Cmd).Start does. End it
// when done.
func Start(variable, value string, start func(*exec.Cmd) error) (*Process, error) {
	if os.Getenv(variable) != "" {
		return nil, ErrNested
	}
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{command: exec.Command(name), answers: make(chan []byte)}
	p.command.Env = append(os.Environ(), variable+"="+value)
	p.command.Stderr = &p.said
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := start(p.command); err != nil {
		return nil, err
	}
	go p.read(out)
	return p, nil
}

// read passes its answers on.
func (p *Process) read(out io.Reader) {
	defer close(p.answers)
	lines := bufio.NewScanner(out)
	for lines.Buffer(nil, maxLine); lines.Scan(); {
		p.answers <- bytes.Clone(lines.Bytes())
	}
}

// ID is the number of the process.
func (p *Process) ID() int { return p.command.Process.Pid }

// Ask sends a line, and hears the answer.
func (p *Process) Ask(line string, answer any, patience time.Duration) error {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return fmt.Errorf("the process is gone: %w", errors.Join(err, p.End(0)))
	}
	return p.Hear(answer, patience)
}

// Hear waits for an answer. One that has an error is that error. A process that does not answer in time is
// killed, since what came later would be taken for another answer.
func (p *Process) Hear(answer any, patience time.Duration) error {
	select {
	case line, ok := <-p.answers:
		if !ok {
			return errors.Join(errors.New("the process has ended"), p.End(0))
		}
		var failed struct{ Error string }
		if err := errors.Join(json.Unmarshal(line, answer), json.Unmarshal(line, &failed)); err != nil {
			return fmt.Errorf("%w: %q", err, line)
		}
		if failed.Error != "" {
			return errors.New(failed.Error)
		}
		return nil
	case <-time.After(patience):
		p.command.Process.Kill() //nolint:errcheck // it may be gone
		return fmt.Errorf("the process does not answer within %v", patience)
	}
}

// End ends its input, and returns when it has ended. One that has not by then is killed. The error says how it
// has ended, and what it has said, unless its exit status was 0.
func (p *Process) End(patience time.Duration) error {
	p.ending.Do(func() {
		p.in.Close() //nolint:errcheck // it may be gone
		killer := time.AfterFunc(patience, func() { p.command.Process.Kill() })
		defer killer.Stop()
		for range p.answers { // its output must have been read before Wait
		}
		if err := p.command.Wait(); err != nil {
			p.ended = fmt.Errorf("the process: %w: %s", err, strings.TrimSpace(p.said.String()))
		}
	})
	return p.ended
}

// Kill ends it whatever it does.
func (p *Process) Kill() error {
	p.command.Process.Kill() //nolint:errcheck // it may be gone
	return p.End(0)
}
