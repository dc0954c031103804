//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/bench/enet"
)

// enetLibrary is ENet's file on Debian, of the package libenet7.
const enetLibrary = "libenet.so.7"

// enetStep is how long a host of ENet waits for datagrams before it looks after
// what it has to repeat.
const enetStep = 5 * time.Millisecond

var loadENet = sync.OnceValue(func() error { return enet.Load(enetLibrary) })

func missingENet() string {
	if err := loadENet(); err != nil {
		return err.Error()
	}
	return ""
}

// enetWindow is ENet's own, in bytes. All channels share one queue, in which more
// of the bulk would only be in the way.
const enetWindow = 64 << 10

// enetPair is two hosts, each with a goroutine that is woken by its socket. A
// lane is a channel, reliable and in order: ENet's other channels drop.
type enetPair struct {
	server, client *enet.Host
	files          [2]*os.File // the sockets', for waiting
	wg             sync.WaitGroup
	stop           chan struct{}
	window         int64        // bytes of the bulk that may be under way
	ahead          atomic.Int64 // that are
}

func openENet(s *stage) (pair, error) {
	if err := loadENet(); err != nil {
		return nil, err
	}
	p := &enetPair{stop: make(chan struct{}), window: int64(min(s.trial.window(), enetWindow))}
	var err error
	if p.server, err = enet.New(true, laneCount, socketBuffer); err != nil {
		return nil, err
	}
	if p.client, err = enet.New(false, laneCount, socketBuffer); err != nil {
		return nil, err
	}
	for i, h := range []*enet.Host{p.server, p.client} {
		if p.files[i], err = fileOf(h); err != nil {
			return nil, err
		}
	}
	addr, err := s.through(fmt.Sprintf("127.0.0.1:%d", p.server.Port()))
	if err != nil {
		return nil, err
	}
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	if err := p.client.Connect(to); err != nil {
		return nil, err
	}
	ready := make(chan struct{}, 2)
	p.wg.Go(func() { p.serve(p.server, p.files[0], func(int, []byte) {}, ready) })
	receive := func(lane int, b []byte) {
		if lane == laneBulk {
			p.ahead.Add(-int64(len(b)))
		}
		s.deliver(lane, b)
	}
	p.wg.Go(func() { p.serve(p.client, p.files[1], receive, ready) })
	over := time.After(connectTime)
	for range 2 {
		select {
		case <-ready:
		case <-over:
			p.close()
			return nil, errors.New("bench: ENet does not connect")
		}
	}
	return p, nil
}

// fileOf is the host's socket for the runtime's poller.
func fileOf(h *enet.Host) (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(h.Descriptor()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "enet"), unix.SetNonblock(fd, true)
}

// serve drives a host until close. The first time that it is connected it says
// so.
func (p *enetPair) serve(h *enet.Host, f *os.File, receive func(int, []byte), ready chan<- struct{}) {
	socket, err := f.SyscallConn()
	if err != nil {
		return
	}
	for said := false; ; {
		select {
		case <-p.stop:
			return
		default:
		}
		connected, err := h.Service(receive)
		if err != nil {
			return
		}
		if connected && !said {
			said = true
			ready <- struct{}{}
		}
		waitFor(f, socket)
	}
}

// waitFor returns when datagrams have come, or after enetStep.
func waitFor(f *os.File, socket syscall.RawConn) {
	_ = f.SetReadDeadline(time.Now().Add(enetStep))
	waited := false
	_ = socket.Read(func(uintptr) bool { // the deadline is no failure
		defer func() { waited = true }()
		return waited
	})
}

func (p *enetPair) send(lane int, b []byte) error {
	if lane == laneBulk {
		if p.ahead.Load() > p.window {
			return errFull
		}
		p.ahead.Add(int64(len(b)))
	}
	return p.server.Send(lane, b)
}

func (p *enetPair) close() {
	close(p.stop)
	p.wg.Wait()
	p.server.Close()
	p.client.Close()
	for _, f := range p.files {
		_ = f.Close()
	}
}
