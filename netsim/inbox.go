package netsim

import (
	"net/netip"
	"os"
	"sync"
	"time"
)

// inbox is the receive queue of a socket, with its read deadline.
type inbox struct {
	changed sync.Cond // one of the fields below, with mu as its lock

	mu sync.Mutex
	// +checklocks:mu
	queue []*datagram
	// +checklocks:mu
	deadline time.Time // zero means none
	// +checklocks:mu
	timer *time.Timer // wakes readers at deadline; nil without one
	// +checklocks:mu
	err error // for all reads from now on
}

func (in *inbox) init() { in.changed.L = &in.mu }

// put queues d if there is room.
func (in *inbox) put(d *datagram) outcome {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return unreachable
	}
	if len(in.queue) >= maxQueue {
		return overflowed
	}
	in.queue = append(in.queue, d)
	in.changed.Signal()
	return delivered
}

// read waits for a datagram. Like a UDP socket it cuts off what does not fit into b.
func (in *inbox) read(b []byte) (int, netip.AddrPort, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		switch {
		case in.err != nil:
			return 0, netip.AddrPort{}, in.err
		case !in.deadline.IsZero() && !time.Now().Before(in.deadline):
			return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
		case len(in.queue) > 0:
			d := in.queue[0]
			in.queue[0] = nil
			in.queue = in.queue[1:]
			return copy(b, d.data), d.from, nil
		}
		in.changed.Wait()
	}
}

// setDeadline holds for reads that wait already and for later ones. It fails once the inbox has.
func (in *inbox) setDeadline(t time.Time) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return in.err
	}
	if in.timer != nil {
		in.timer.Stop()
		in.timer = nil
	}
	in.deadline = t
	if d := time.Until(t); !t.IsZero() && d > 0 { // readers of a past one are woken below
		in.timer = time.AfterFunc(d, in.wake)
	}
	in.changed.Broadcast()
	return nil
}

func (in *inbox) wake() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.changed.Broadcast()
}

// failed returns the error that ended the inbox, nil while it lives.
func (in *inbox) failed() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}

// fail gives err to all waiting and later reads and releases the queue. Only the first call counts and returns true.
func (in *inbox) fail(err error) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return false
	}
	in.err, in.queue = err, nil
	if in.timer != nil {
		in.timer.Stop()
	}
	in.changed.Broadcast()
	return true
}
