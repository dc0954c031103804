package reach

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Server is a match server in a process of its own. Its methods are safe for concurrent use.
type Server struct {
	Name string
	Addr string

	command *exec.Cmd
	in      io.WriteCloser
	answers chan Answer // closed when its output ends

	mu sync.Mutex // one question at a time
}

// startServer starts a child that obeys o.
func startServer(o order) (*Server, error) {
	if IsChild() {
		return nil, errors.New("reach: main must begin as the package comment says")
	}
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &Server{Name: o.Name, command: exec.Command(name), answers: make(chan Answer)}
	s.command.Env = append(os.Environ(), variable+"=1")
	s.command.Stderr = os.Stderr
	if s.in, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go s.hear(out)
	line, err := json.Marshal(o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	a, err := s.ask(string(line), startTime)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Addr = a.Addr
	return s, nil
}

func (s *Server) hear(out io.Reader) {
	defer close(s.answers)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var a Answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			a.Error = fmt.Sprintf("%v: %q", err, lines.Text())
		}
		s.answers <- a
	}
}

func (s *Server) ask(line string, patience time.Duration) (Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		return Answer{}, fmt.Errorf("reach: %s is gone: %w", s.Name, err)
	}
	select {
	case a, ok := <-s.answers:
		switch {
		case !ok:
			return a, fmt.Errorf("reach: %s has ended", s.Name)
		case a.Error != "":
			return a, fmt.Errorf("reach: %s: %s", s.Name, a.Error)
		}
		return a, nil
	case <-time.After(patience):
		s.command.Process.Kill() //nolint:errcheck // it may be gone; a late answer would be taken for another one
		return Answer{}, fmt.Errorf("reach: %s does not answer within %v", s.Name, patience)
	}
}

// Status asks the server what it knows.
func (s *Server) Status() (Answer, error) { return s.ask("status", answerTime) }

// Seen returns when the server has last delivered a datagram of a player to its match.
func (s *Server) Seen(subject string) (time.Time, error) {
	a, err := s.ask("seen "+subject, answerTime)
	if err != nil || a.Seen == 0 {
		return time.Time{}, err
	}
	return time.Unix(0, a.Seen), nil
}

// Close ends the process in an orderly way and returns when it is gone. One that does not end is
// killed.
func (s *Server) Close() error {
	killer := time.AfterFunc(stopTime, func() { s.command.Process.Kill() })
	defer killer.Stop()
	s.in.Close()          //nolint:errcheck // it may be gone
	for range s.answers { // its output must have been read before Wait
	}
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("reach: %s: %w", s.Name, err)
	}
	return nil
}
