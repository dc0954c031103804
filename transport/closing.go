package transport

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// ending is what remains to be done for a connection whose session is over: to repeat
// CLOSE, each time under numbers of its own, until the player answers it or closeTime
// is over, and to answer the player's.
//
//	   0 ms  CLOSE
//	 100 ms  CLOSE
//	 300 ms  CLOSE
//	 700 ms  CLOSE
//	1000 ms  close_notify, for a DTLS stack that does not know CLOSE
type ending struct {
	conn  *conn
	began time.Time
	gone  bool // nothing of the player's is to come: the connection may go before lingerTime is over

	body []byte    // of our CLOSE; nil if the player has said it, or its connection is gone
	due  time.Time // when the next copy is
	away roamed    // where else the player may be
	done bool      // close_notify has been sent, and nothing will be repeated
}

// endings are those of a shard with a CLOSE to repeat, by how many copies have been sent.
// Those that have waited equally long are due in the order in which they came.
type endings [len(closeWaits)][]*ending

// repeatClose begins to repeat the CLOSE that has just been sent.
func (es *endings) repeatClose(now time.Time, c *conn, body []byte) {
	if c.ending == nil {
		c.ending = &ending{conn: c, began: now, body: append([]byte(nil), body...), due: now.Add(closeWaits[0])}
		es[0] = append(es[0], c.ending)
	}
}

// next is when the next copy is due; zero if there is none.
func (es *endings) next() (due time.Time) {
	for i, queue := range es {
		for len(queue) > 0 && !queue[0].pending() {
			queue[0] = nil
			queue = queue[1:]
		}
		es[i] = queue
		if len(queue) > 0 && (due.IsZero() || queue[0].due.Before(due)) {
			due = queue[0].due
		}
	}
	return due
}

// repeat sends the copies that are due.
func (es *endings) repeat(now time.Time) {
	for i := range es {
		for len(es[i]) > 0 && !now.Before(es[i][0].due) {
			e := es[i][0]
			es[i][0] = nil
			es[i] = es[i][1:]
			switch {
			case !e.pending():
			case i+1 == len(es) || now.Sub(e.began) >= closeTime:
				e.answered() // as far as we care
			default:
				e.due = now.Add(closeWaits[i+1])
				es[i+1] = append(es[i+1], e)
				e.conn.send(e.conn.Addr, wire.KindClose, e.body) //nolint:errcheck // a lost datagram: another one follows
			}
		}
	}
}

// pending reports whether somebody waits for an answer.
func (e *ending) pending() bool { return !e.done && e.conn.Listed() }

// roamed is another address than the connection's from which its player's datagrams come.
type roamed struct {
	addr   udp.Flow
	credit int       // bytes that have come from there, less those that were sent there
	told   time.Time // when the last copy went to such an address
}

// Roamed implements dtls.Roamer: a translator has changed the address of a player whose CLOSE is
// being repeated, and what goes to the former one is lost. The address is not proven. So it gets a
// copy only in answer to the newest record, one in closeWaits[0], and no more bytes than have come
// from there; and the former address is told as before.
func (e *ending) Roamed(now time.Time, from udp.Flow, length int) {
	w := &e.away
	if !e.pending() {
		return
	}
	if w.addr != from {
		w.addr, w.credit = from, 0
	}
	w.credit += length
	if size := record.Overhead + wire.HeaderLen + len(e.body); w.credit >= size && now.Sub(w.told) >= closeWaits[0] {
		w.credit, w.told = w.credit-size, now
		e.conn.send(from, wire.KindClose, e.body) //nolint:errcheck // a lost datagram: another one follows
	}
}

// answered ends the repetition: the player has said close_notify, and so knows.
// RFC 5246 7.2.1 asks for ours, once.
func (e *ending) answered() {
	if !e.done {
		e.done = true
		c := e.conn
		c.Shard.Out.Alert(&c.Conn, record.CloseNotify[:])
	}
}

// seeOff waits until every player has answered CLOSE, closeTime at most, or until ctx
// ends: then it returns its error. The caller holds the turns of all shards.
func seeOff(ctx context.Context, clock *clock, shards []*shard) error {
	for {
		waiting, now := false, clock.now()
		for _, sh := range shards {
			sh.parting(now)
			waiting = waiting || !sh.endings.next().IsZero()
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
	s.Out.Hold(true)
	s.Drain(now, func(c *dtls.Conn) bool { return connOf(c).ending != nil })
	s.endings.repeat(now)
	s.Out.Hold(false)
	s.Out.Flush() // also amid a Hold: it may last for longer than the server
}
