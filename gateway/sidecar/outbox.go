package sidecar

import (
	"encoding/binary"
	"sync"
)

// box collects payloads for the game. A player always has the same one, so that its payloads stay in order.
type box struct {
	mu sync.Mutex
	// +checklocks:mu
	b []byte
	// +checklocks:mu
	ends []int

	_ [64]byte // the locks of two boxes share no cache line
}

// add appends a datagram. It reports false if there is no room: the game or the socket is behind.
func (x *box) add(h Header, body []byte) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.b)+HeaderLen+len(body) > boxBytes {
		return false
	}
	x.b = append(h.AppendTo(x.b), body...)
	x.ends = append(x.ends, len(x.b))
	return true
}

// swap takes what is there and leaves b and ends, which are empty.
func (x *box) swap(b []byte, ends []int) ([]byte, []int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	outB, outEnds := x.b, x.ends
	x.b, x.ends = b[:0], ends[:0]
	return outB, outEnds
}

// some reports whether there is anything.
func (x *box) some() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.ends) > 0
}

// payloads sends what has been in a box, but for what is of a run before: the game has been told of another one, or is
// about to be, and would forget everybody for it.
func (s *Sidecar) payloads(b []byte, ends []int) {
	b, now := ofRun(s.link.run.Load(), b, ends)
	s.reports.counts[FaultBehind].Add(uint64(len(ends) - len(now)))
	s.out(b, now)
}

// out sends datagrams.
func (s *Sidecar) out(b []byte, ends []int) {
	if len(ends) == 0 {
		return
	}
	lost := s.socket.send(b, ends)
	s.reports.out.Add(uint64(len(ends) - lost))
	if lost > 0 && s.link.peer.Load() != 0 {
		s.reports.counts[FaultBehind].Add(uint64(lost))
	}
}

// ofRun keeps the datagrams of a run, in the place of all.
func ofRun(run uint32, b []byte, ends []int) ([]byte, []int) {
	kept, keptEnds, start := b[:0], ends[:0], 0
	for _, end := range ends {
		if binary.BigEndian.Uint32(b[start+4:]) == run {
			kept = append(kept, b[start:end]...)
			keptEnds = append(keptEnds, len(kept))
		}
		start = end
	}
	return kept, keptEnds
}
