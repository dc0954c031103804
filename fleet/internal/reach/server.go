package reach

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/lab/subprocess"
)

// Server is a match server in a process of its own. Its methods are safe for concurrent use.
type Server struct {
	Name string
	Addr string

	mu sync.Mutex // one question at a time
	// +checklocks:mu
	process *subprocess.Process
}

// startServer starts a child that obeys o.
func startServer(o order) (*Server, error) {
	p, err := subprocess.Start(variable, "1", (*exec.Cmd).Start)
	if err != nil {
		return nil, err
	}
	s := &Server{Name: o.Name, process: p}
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

func (s *Server) ask(line string, patience time.Duration) (a Answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.process.Ask(line, &a, patience); err != nil {
		err = fmt.Errorf("reach: %s: %w", s.Name, err)
	}
	return a, err
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

// late is how late the server was between two moments.
func (s *Server) late(from, to time.Time) (time.Duration, error) {
	a, err := s.ask(fmt.Sprintf("late %d %d", from.UnixNano(), to.UnixNano()), answerTime)
	return a.Late, err
}

// Close ends the process in an orderly way and returns when it is gone. One that does not end is
// killed.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.End(stopTime); err != nil {
		return fmt.Errorf("reach: %s: %w", s.Name, err)
	}
	return nil
}
