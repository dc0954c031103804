//go:build linux

package flood

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// server is the child, as its parent sees it. It belongs to one goroutine.
type server struct {
	dev     *gameserver.Dev
	addr    netip.AddrPort
	folder  string
	command *exec.Cmd
	in      io.WriteCloser
	answers chan answer // closed when its output ends
}

// start starts the server on a processor; end it when done.
func start(processor int) (s *server, err error) {
	s = &server{answers: make(chan answer)}
	if s.dev, err = gameserver.NewDev(); err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("", "sallyport-flood-*"); err != nil {
		return nil, err
	}
	if err = s.dev.Save(s.folder); err == nil {
		err = s.spawn(processor)
	}
	if err != nil {
		os.RemoveAll(s.folder) //nolint:errcheck // err says more
		return nil, fmt.Errorf("flood: cannot start the server: %w", err)
	}
	return s, nil
}

func (s *server) spawn(processor int) error {
	name, err := os.Executable()
	if err != nil {
		return err
	}
	s.command = exec.Command(name)
	s.command.Env = append(os.Environ(), variable+"="+s.folder)
	s.command.Stderr = os.Stderr
	if s.in, err = s.command.StdinPipe(); err != nil {
		return err
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := startOn(processor, s.command); err != nil {
		return err
	}
	go func() {
		defer close(s.answers)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var a answer
			if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
				a.Error = err.Error()
			}
			s.answers <- a
		}
	}()
	first, err := s.hear(startTime)
	if err == nil {
		s.addr, err = netip.ParseAddrPort(first.Addr)
	}
	if err != nil {
		s.command.Process.Kill() //nolint:errcheck // err says more
		return errors.Join(err, s.command.Wait())
	}
	return nil
}

// ask asks what the server has done so far.
func (s *server) ask() (answer, error) {
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		return answer{}, fmt.Errorf("flood: the server is gone: %w", err)
	}
	return s.hear(statsTime)
}

func (s *server) hear(patience time.Duration) (answer, error) {
	select {
	case a, ok := <-s.answers:
		switch {
		case !ok:
			return a, errors.New("flood: the server has ended")
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-time.After(patience):
		return answer{}, fmt.Errorf("flood: the server does not answer within %v", patience)
	}
}

// resident is how much memory of the server's process is resident, in bytes; 0 once it is gone.
func (s *server) resident() int64 { return gameserver.Resident(s.command.Process.Pid) }

// end ends the server.
func (s *server) end() {
	s.in.Close() //nolint:errcheck // it may be gone
	killer := time.AfterFunc(startTime, func() { s.command.Process.Kill() })
	defer killer.Stop()
	for range s.answers { // its output must have been read before Wait
	}
	s.command.Wait()       //nolint:errcheck // what it did has been asked
	os.RemoveAll(s.folder) //nolint:errcheck // it holds development's keys
}
