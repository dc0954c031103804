package succession

import (
	"context"
	"errors"
	"sync"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/transport"
)

// Server is a match server in a process of its own, and those that have taken its place. Its methods are safe for
// concurrent use.
type Server struct {
	folder folder          // constant
	dev    *gameserver.Dev // constant
	addr   string          // constant
	tick   int             // constant

	mu sync.Mutex
	// +checklocks:mu
	number int // of the present process
	// +checklocks:mu
	present *process // nil when there is none any more
	// +checklocks:mu
	past gameserver.Stats // of those before, added up
}

// Start starts a server on a free port of this machine. Close it when done.
func Start(tick int) (*Server, error) {
	f, dev, err := newFolder()
	if err != nil {
		return nil, err
	}
	s := &Server{folder: f, dev: dev, tick: tick}
	p, err := spawn()
	if err == nil {
		s.addr, err = p.serve(s.order(1, "127.0.0.1:0"))
	}
	if err != nil {
		f.remove()
		return nil, err
	}
	s.number, s.present = 1, p
	return s, nil
}

// order returns the order to a child.
func (s *Server) order(number int, listen string) order {
	return order{Folder: s.folder, Number: number, Listen: listen, Tick: s.tick}
}

// Addr is where players connect, whichever process is there.
func (s *Server) Addr() string { return s.addr }

// Dev is the certificate and the issuer of all processes.
func (s *Server) Dev() *gameserver.Dev { return s.dev }

// errNone is the error of a server whose successor could not start.
var errNone = errors.New("the server's process has ended, and no other has taken its place")

// Replace starts another process, stops the present one, and has the other take its place as soon as the players have
// been handed on.
func (s *Server) Replace(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present == nil {
		return errNone
	}
	next, err := spawn()
	if err != nil {
		return err
	}
	former := s.present
	s.present = nil
	last, err := former.ask("stop", stopTime)
	if err != nil {
		return errors.Join(err, former.wait(), next.Kill())
	}
	s.past = s.past.Add(*last.Stats)
	if _, err := next.serve(s.order(s.number+1, s.addr)); err != nil {
		return errors.Join(err, former.wait())
	}
	s.number, s.present = s.number+1, next
	return former.wait()
}

// Stats returns the sum over all processes.
func (s *Server) Stats(context.Context) (gameserver.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present == nil {
		return s.past, errNone
	}
	a, err := s.present.ask("stats", statsTime)
	if err != nil || a.Stats == nil {
		return s.past, err
	}
	return s.past.Add(*a.Stats), nil
}

// Handover is the record of the two newest processes about the players who went from one to the
// other.
type Handover struct {
	Former, Present *tally.Trail
	Handshakes      transport.HandshakeStats // of the present one
}

// Handover reads the audits of both. It is for after a Replace.
func (s *Server) Handover(context.Context) (h Handover, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present == nil || s.number < 2 {
		return h, errNone
	}
	a, err := s.present.ask("stats", statsTime)
	if err != nil {
		return h, err
	}
	h.Handshakes = a.Stats.Handshakes
	if h.Former, err = tally.ReadFile(s.folder.audit(s.number - 1)); err == nil {
		h.Present, err = tally.ReadFile(s.folder.audit(s.number))
	}
	return h, err
}

// Close stops the process that is there and removes the folder. It returns when nothing is left.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.folder.remove()
	if s.present == nil {
		return nil
	}
	_, err := s.present.ask("stop", stopTime)
	err = errors.Join(err, s.present.wait())
	s.present = nil
	return err
}
