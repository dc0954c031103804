package succession

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
	"time"
)

// process is a child, as its parent sees it.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	answers chan answer   // closed when its output ends
	said    *bytes.Buffer // on standard error; to be read when it has ended
}

// errNoChild keeps a program that does not know of children from starting itself again and again.
var errNoChild = errors.New("succession: main must begin as the package comment says")

// spawn starts a child, which waits for its order.
func spawn() (*process, error) {
	if IsChild() {
		return nil, errNoChild
	}
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(name), answers: make(chan answer), said: &bytes.Buffer{}}
	p.command.Env = append(os.Environ(), variable+"=1")
	p.command.Stderr = p.said
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go p.hear(out)
	return p, nil
}

// serve has the child do what o says, and returns where it listens. A child that cannot is ended.
func (p *process) serve(o order) (addr string, err error) {
	line, err := json.Marshal(o)
	if err != nil {
		return "", errors.Join(err, p.kill())
	}
	a, err := p.ask(string(line), startTime)
	if err != nil {
		return "", errors.Join(err, p.kill())
	}
	return a.Addr, nil
}

// hear passes the child's answers on.
func (p *process) hear(out io.Reader) {
	defer close(p.answers)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			a.Error = fmt.Sprintf("%v: %q", err, lines.Text())
		}
		p.answers <- a
	}
}

// ask has the child answer a line.
func (p *process) ask(line string, patience time.Duration) (answer, error) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return answer{}, fmt.Errorf("the server's process is gone: %w", err)
	}
	select {
	case a, ok := <-p.answers:
		switch {
		case !ok:
			return a, errors.New("the server's process has ended")
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-time.After(patience):
		p.command.Process.Kill() //nolint:errcheck // it may be gone; a late answer would be taken for another one
		return answer{}, fmt.Errorf("the server's process does not answer within %v", patience)
	}
}

// wait returns when the child has ended, which has been told to. One that does not is killed.
func (p *process) wait() error {
	p.in.Close() //nolint:errcheck // it may be gone
	killer := time.AfterFunc(stopTime, func() { p.command.Process.Kill() })
	defer killer.Stop()
	for range p.answers { // its output must have been read before Wait
	}
	err := p.command.Wait()
	if err != nil {
		err = fmt.Errorf("the server's process: %w: %s", err, strings.TrimSpace(p.said.String()))
	}
	return err
}

// kill ends the child whatever it does.
func (p *process) kill() error {
	p.command.Process.Kill() //nolint:errcheck // it may be gone
	return p.wait()
}
