package transport

import (
	"context"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/wire"
)

// closing is a CLOSE that has not been answered yet. It is repeated, each time under
// numbers of its own, until the player answers it or closeTime is over:
//
//	   0 ms  CLOSE
//	 100 ms  CLOSE
//	 300 ms  CLOSE
//	 700 ms  CLOSE
//	1000 ms  close_notify, for a DTLS stack that does not know CLOSE
type closing struct {
	association *association
	body        []byte
	due         time.Time // of the next copy
	ends        time.Time
	heard       bool // it has been answered
}

// closings are the shard's, by how many copies have been sent. Those that have waited
// equally long are due in the order in which they came.
type closings [len(closeWaits)][]*closing

// close begins to repeat the CLOSE that has just been sent.
func (s *shard) close(now time.Time, a *association, body []byte) {
	if a.closing != nil {
		return
	}
	a.closing = &closing{association: a, body: append([]byte(nil), body...), due: now.Add(closeWaits[0]), ends: now.Add(closeTime)}
	s.closings[0] = append(s.closings[0], a.closing)
}

// closeDue is when the next copy is due; zero if there is none.
func (s *shard) closeDue() (due time.Time) {
	for i, queue := range s.closings {
		for len(queue) > 0 && !queue[0].pending() {
			queue[0] = nil
			queue = queue[1:]
		}
		s.closings[i] = queue
		if len(queue) > 0 && (due.IsZero() || queue[0].due.Before(due)) {
			due = queue[0].due
		}
	}
	return due
}

// pending reports whether somebody waits for an answer.
func (c *closing) pending() bool { return !c.heard && c.association.place >= 0 }

// repeatCloses sends the copies that are due.
func (s *shard) repeatCloses(now time.Time) {
	for i := range s.closings {
		for len(s.closings[i]) > 0 && !now.Before(s.closings[i][0].due) {
			c := s.closings[i][0]
			s.closings[i][0] = nil
			s.closings[i] = s.closings[i][1:]
			switch {
			case !c.pending():
			case i+1 == len(s.closings) || !now.Before(c.ends):
				c.heard = true // as far as we care
				s.out.alert(c.association, record.CloseNotify[:])
			default:
				c.due = now.Add(closeWaits[i+1])
				s.closings[i+1] = append(s.closings[i+1], c)
				s.out.envelope(c.association, wire.KindClose, c.body) //nolint:errcheck // a lost datagram: another one follows
			}
		}
	}
}

// answeredClose is the player's close_notify: it knows. RFC 5246 7.2.1 asks for ours, which is sent once.
func (s *shard) answeredClose(c *closing) {
	if !c.heard {
		c.heard = true
		s.out.alert(c.association, record.CloseNotify[:])
	}
}

// seeOff waits until every player has answered CLOSE, closeTime at most, or until ctx
// ends: then it returns its error. The caller holds the turns of all shards.
func (s *Server) seeOff(ctx context.Context, shards []*shard) error {
	for {
		waiting, now := false, s.clock.now()
		for _, sh := range shards {
			sh.parting(now)
			waiting = waiting || !sh.closeDue().IsZero()
		}
		if !waiting {
			return nil
		}
		select {
		case <-time.After(partingInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// parting is a turn of a shard that is about to close: it hears whose CLOSE has been
// answered, and nothing else.
func (s *shard) parting(now time.Time) {
	s.out.hold(true)
	for range len(s.crossings) {
		c := <-s.crossings
		s.parted(now, c.addr, c.b[:c.n])
		s.server.buffers.Put(c.b)
	}
	for n := 0; n < maxPerTurn; {
		packets := s.socket.receive()
		for _, p := range packets {
			s.parted(now, p.addr, p.buf)
		}
		if n += len(packets); len(packets) < batchLen {
			break
		}
	}
	s.repeatCloses(now)
	s.out.hold(false)
}

// parted looks at a datagram of somebody who is being told that it is over.
func (s *shard) parted(now time.Time, addr netip.AddrPort, b []byte) {
	if len(b) == 0 || len(b) > wire.MaxDatagram {
		return
	}
	a := s.association(addr)
	switch {
	case a == nil:
		s.strayed(addr, b)
	case a.closing != nil:
		s.records(now, a, b)
	}
}
