//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// answerTime is how long a process may take to answer: 10,000 players join one
// after the other on a busy machine in less.
const answerTime = 3 * time.Minute

var errSlow = errors.New("bench: no answer in time")

// process is a server or client as its parent sees it: a question is a line, the
// answer is one of JSON.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs this program in a role, which what describes, on one processor. The
// first answer fills ready.
func start(role string, what any, processor int, ready any) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arg, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, role, string(arg))}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := pinned(processor, p.cmd.Start); err != nil {
		return nil, err
	}
	if err := p.answer(ready); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s of %s: %w", role, arg, err)
	}
	return p, nil
}

// pinned calls f on one processor, which a process that f starts inherits.
// Before its first instruction: the Go runtime counts processors only once.
func pinned(processor int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	only.Set(processor)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return err
	}
	return errors.Join(f(), unix.SchedSetaffinity(0, &before))
}

// processors are for the server and for the client: the same if there is one.
func processors() (server, client int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, err
	}
	var found []int
	for i := 0; len(found) < min(2, set.Count()); i++ {
		if set.IsSet(i) {
			found = append(found, i)
		}
	}
	return found[0], found[len(found)-1], nil
}

func (p *process) ask(question string, answer any) error {
	if _, err := fmt.Fprintln(p.in, question); err != nil {
		return err
	}
	return p.answer(answer)
}

// answer reads a line, or kills a process that does not give one.
func (p *process) answer(to any) error {
	slow := time.AfterFunc(answerTime, func() { _ = p.cmd.Process.Kill() })
	line, err := p.out.ReadBytes('\n')
	if !slow.Stop() {
		return errSlow
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(line, to)
}

func (p *process) stop() {
	_ = p.in.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed, or had died: what it was asked has been said
}

// roles are the processes of this program, each with its argument.
var roles = map[string]func(arg string) error{
	"server":  func(arg string) error { return child("server", arg) },
	"client":  func(arg string) error { return child("client", arg) },
	rolePair:  playPair,
	roleRelay: playRelay,
}

// role is what this process was started as; nil for the command itself.
func role() func(arg string) error {
	if len(os.Args) != 3 {
		return nil
	}
	return roles[os.Args[1]]
}

// child is the other end: it plays the role, then answers until its parent goes.
func child(role, arg string) error {
	var j job
	if err := json.Unmarshal([]byte(arg), &j); err != nil {
		return err
	}
	n := new(counters)
	p := peerNamed(j.Peer)
	var ready any = struct{}{}
	var players []conn
	var err error
	if role == "server" {
		ready, err = p.serve(&j, n)
	} else {
		players, err = load(&j, p, n)
	}
	defer runtime.KeepAlive(players)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ready); err != nil {
		return err
	}
	for questions := bufio.NewScanner(os.Stdin); questions.Scan(); {
		if err := prepare(questions.Text()); err != nil {
			return err
		}
		s, err := takeSample(n)
		if err != nil {
			return err
		}
		if err := out.Encode(s); err != nil {
			return err
		}
	}
	return nil
}

// The questions. The answer to each is a sample.
const (
	askSample  = "sample"
	askCollect = "collect"  // after giving back all memory that is free
	askProfile = "profile " // and a file's name: from now until
	askStop    = "stop"
)

func prepare(question string) error {
	name, profile := strings.CutPrefix(question, askProfile)
	switch {
	case question == askCollect:
		debug.FreeOSMemory()
		debug.FreeOSMemory() // finalizers of the first may have freed more
	case question == askStop:
		pprof.StopCPUProfile()
	case profile:
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		return pprof.StartCPUProfile(f) // the file ends with the process
	}
	return nil
}
