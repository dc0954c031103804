package succession

import (
	"encoding/json"
	"errors"
	"os/exec"
	"time"

	"github.com/sallyport/sallyport/internal/lab/subprocess"
)

// process is a child, as its parent sees it.
type process struct{ *subprocess.Process }

// spawn starts a child, which waits for its order.
func spawn() (*process, error) {
	p, err := subprocess.Start(variable, "1", (*exec.Cmd).Start)
	if err != nil {
		return nil, err
	}
	return &process{p}, nil
}

// serve has the child do what o says, and returns where it listens. A child that cannot is ended.
func (p *process) serve(o order) (addr string, err error) {
	line, err := json.Marshal(o)
	if err != nil {
		return "", errors.Join(err, p.Kill())
	}
	a, err := p.ask(string(line), startTime)
	if err != nil {
		return "", errors.Join(err, p.Kill())
	}
	return a.Addr, nil
}

// ask has the child answer a line.
func (p *process) ask(line string, patience time.Duration) (a answer, err error) {
	err = p.Ask(line, &a, patience)
	return a, err
}

// wait returns when the child has ended, which has been told to. One that does not is killed.
func (p *process) wait() error { return p.End(stopTime) }
