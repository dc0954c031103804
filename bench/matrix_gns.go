//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/bench/gns"
)

// gnsVariable tells this program's processes where GameNetworkingSockets is.
const gnsVariable = "BENCH_GNS"

// gnsStep is how often messages are asked for: the library wakes nobody.
const gnsStep = time.Millisecond

var errNoGNS = errors.New("no -gns")

var loadGNS = sync.OnceValue(func() error {
	name := os.Getenv(gnsVariable)
	if name == "" {
		return errNoGNS
	}
	return gns.Load(name)
})

func missingGNS() string {
	if err := loadGNS(); err != nil {
		return err.Error()
	}
	return ""
}

// gnsPair is the two ends, which the library knows.
type gnsPair struct {
	wg   sync.WaitGroup
	stop chan struct{}
}

// openGNS tells the library what the link carries, less the headers: it does not
// find it out.
func openGNS(s *stage) (pair, error) {
	if err := loadGNS(); err != nil {
		return nil, err
	}
	free, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	if err := free.Close(); err != nil {
		return nil, err
	}
	if err := gns.Listen(port, s.trial.bytes()*9/10, 1<<20); err != nil {
		return nil, err
	}
	addr, err := s.through(fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	if err := gns.Connect(int(to.Port()), laneCount, connectTime); err != nil {
		return nil, err
	}
	p := &gnsPair{stop: make(chan struct{})}
	p.wg.Go(func() {
		for {
			select {
			case <-p.stop:
				return
			case <-time.After(gnsStep):
				gns.Receive(s.deliver)
			}
		}
	})
	return p, nil
}

func (p *gnsPair) send(lane int, b []byte) error {
	if !gns.Send(lane, b) {
		return errFull
	}
	return nil
}

func (p *gnsPair) close() {
	close(p.stop)
	p.wg.Wait()
	gns.Close()
}
