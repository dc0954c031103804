package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// startTime is how long a match server may take until it listens.
const startTime = 20 * time.Second

// process is a match server's process as whoever started it sees it.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when the process says nothing more

	mu sync.Mutex
	// +checklocks:mu
	last word
}

// start starts a match server and returns once it listens.
func start(o order) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: o.Name, cmd: exec.Command(self, matchServer), done: make(chan struct{})}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go p.listen(out, ready)
	if err := json.NewEncoder(p.stdin).Encode(o); err != nil {
		p.stop()
		return nil, err
	}
	select {
	case <-ready:
		return p, nil
	case <-p.done:
	case <-time.After(startTime):
	}
	p.stop()
	return nil, fmt.Errorf("%s has not started; see above", o.Name)
}

// listen takes the process's words. ready is closed with the first.
func (p *process) listen(out io.Reader, ready chan struct{}) {
	defer close(p.done)
	decoder := json.NewDecoder(out)
	for first := true; ; first = false {
		var w word
		if decoder.Decode(&w) != nil {
			return
		}
		p.mu.Lock()
		p.last = w
		p.mu.Unlock()
		if first {
			close(ready)
		}
	}
}

func (p *process) word() word {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// stop ends the process.
func (p *process) stop() {
	p.stdin.Close() //nolint:errcheck // it may have ended
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill() //nolint:errcheck // likewise
	}
	p.cmd.Wait() //nolint:errcheck // likewise
}

func pinOf(c tls.Certificate) [32]byte { return sha256.Sum256(c.Certificate[0]) }
