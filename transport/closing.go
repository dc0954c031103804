package transport

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// ending is what remains to be done for an association whose session is over: to repeat
// CLOSE, each time under numbers of its own, until the player answers it or closeTime
// is over, and to answer the player's.
//
//	   0 ms  CLOSE
//	 100 ms  CLOSE
//	 300 ms  CLOSE
//	 700 ms  CLOSE
//	1000 ms  close_notify, for a DTLS stack that does not know CLOSE
type ending struct {
	association *association
	began       time.Time
	gone        bool // nothing of the player's is to come: the association may go before lingerTime is over

	body []byte    // of our CLOSE; nil if the player has said it, or its connection is gone
	due  time.Time // when the next copy is
	away roamed    // where else the player may be
	done bool      // close_notify has been sent, and nothing will be repeated
}

// endings are those of a shard with a CLOSE to repeat, by how many copies have been sent.
// Those that have waited equally long are due in the order in which they came.
type endings [len(closeWaits)][]*ending

// close begins to repeat the CLOSE that has just been sent.
func (s *shard) close(now time.Time, a *association, body []byte) {
	if a.ending == nil {
		a.ending = &ending{association: a, began: now, body: append([]byte(nil), body...), due: now.Add(closeWaits[0])}
		s.endings[0] = append(s.endings[0], a.ending)
	}
}

// closeDue is when the next copy is due; zero if there is none.
func (s *shard) closeDue() (due time.Time) {
	for i, queue := range s.endings {
		for len(queue) > 0 && !queue[0].pending() {
			queue[0] = nil
			queue = queue[1:]
		}
		s.endings[i] = queue
		if len(queue) > 0 && (due.IsZero() || queue[0].due.Before(due)) {
			due = queue[0].due
		}
	}
	return due
}

// pending reports whether somebody waits for an answer.
func (e *ending) pending() bool { return !e.done && e.association.place >= 0 }

// repeatCloses sends the copies that are due.
func (s *shard) repeatCloses(now time.Time) {
	for i := range s.endings {
		for len(s.endings[i]) > 0 && !now.Before(s.endings[i][0].due) {
			e := s.endings[i][0]
			s.endings[i][0] = nil
			s.endings[i] = s.endings[i][1:]
			switch {
			case !e.pending():
			case i+1 == len(s.endings) || now.Sub(e.began) >= closeTime:
				s.answeredClose(e) // as far as we care
			default:
				e.due = now.Add(closeWaits[i+1])
				s.endings[i+1] = append(s.endings[i+1], e)
				s.out.envelope(e.association, wire.KindClose, e.body) //nolint:errcheck // a lost datagram: another one follows
			}
		}
	}
}

// roamed is another address than the association's from which its player's datagrams come.
type roamed struct {
	addr   udp.Flow
	credit int       // bytes that have come from there, less those that were sent there
	told   time.Time // when the last copy went to such an address
}

// follow answers a datagram from another address of somebody whose CLOSE is being repeated: a
// translator has changed the player's address, and what goes to the old one is lost. The address
// is not proven. So it gets a copy only in answer to the newest record, one in closeWaits[0], and
// no more bytes than have come from there; and the old address is told as before.
func (e *ending) follow(s *shard, now time.Time, addr udp.Flow, b []byte) bool {
	a, w, length := e.association, &e.away, len(b)
	if e.body == nil || !e.pending() {
		return false
	}
	newest := a.record.Opened()
	s.from = addr
	opened := s.records(now, a, b)
	s.from = udp.Flow{}
	if !opened || a.record.Opened() <= newest || !e.pending() {
		return true
	}
	if w.addr != addr {
		w.addr, w.credit = addr, 0
	}
	w.credit += length
	if size := record.Overhead + wire.HeaderLen + len(e.body); w.credit >= size && now.Sub(w.told) >= closeWaits[0] {
		w.credit, w.told = w.credit-size, now
		s.out.envelopeTo(a, addr, wire.KindClose, e.body) //nolint:errcheck // a lost datagram: another one follows
	}
	return true
}

// answeredClose ends the repetition: the player has said close_notify, and so knows.
// RFC 5246 7.2.1 asks for ours, once.
func (s *shard) answeredClose(e *ending) {
	if !e.done {
		e.done = true
		s.out.alert(e.association, record.CloseNotify[:])
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
		packets := s.socket.Receive()
		for _, p := range packets {
			s.parted(now, p.Addr, p.Buf)
		}
		if n += len(packets); len(packets) < udp.BatchLen {
			break
		}
	}
	s.repeatCloses(now)
	s.out.hold(false)
}

// parted looks at a datagram of somebody who is being told that it is over.
func (s *shard) parted(now time.Time, addr udp.Flow, b []byte) {
	if len(b) == 0 || len(b) > wire.MaxDatagram {
		return
	}
	a := s.association(addr)
	switch {
	case a == nil && !s.strayed(addr, b):
		s.hinted(now, addr, b)
	case a == nil:
	case a.ending != nil:
		s.records(now, a, b)
	}
}
