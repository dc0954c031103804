//go:build linux

package flood

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/subprocess"
)

// server is the child, as its parent sees it. It belongs to one goroutine.
type server struct {
	dev     *gameserver.Dev
	addr    netip.AddrPort
	folder  string
	process *subprocess.Process
}

// start starts the server on a processor; end it when done.
func start(processor int) (s *server, err error) {
	s = &server{}
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

func (s *server) spawn(processor int) (err error) {
	s.process, err = subprocess.Start(variable, s.folder, func(c *exec.Cmd) error { return startOn(processor, c) })
	if err != nil {
		return err
	}
	var first answer
	if err = s.process.Hear(&first, startTime); err == nil {
		s.addr, err = netip.ParseAddrPort(first.Addr)
	}
	if err != nil {
		return errors.Join(err, s.process.Kill())
	}
	return nil
}

// ask asks what the server has done so far, or to be alone on its processor from now on.
func (s *server) ask(what string) (a answer, err error) {
	if err = s.process.Ask(what, &a, statsTime); err != nil {
		err = fmt.Errorf("flood: the server: %w", err)
	}
	return a, err
}

// resident is how much memory of the server's process is resident, in bytes; 0 once it is gone.
func (s *server) resident() int64 { return gameserver.Resident(s.process.ID()) }

// end ends the server.
func (s *server) end() error {
	defer os.RemoveAll(s.folder) //nolint:errcheck // it holds development's keys
	return s.process.End(startTime)
}
