package handshake

import (
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
)

// Verdict is the result of Deliver for a datagram.
type Verdict uint8

// The four answers of Deliver. Only Taken says that the peer goes on with the handshake.
const (
	Refused Verdict = iota // breaks a rule or a limit: drop it
	Taken                  // passed on to the engine, at least in part
	Unsure                 // only a Finished, passed on as well, which anybody may have written
	Divert                 // it holds records for the record layer: keep it, within limits, for the Result
)

// String returns the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Taken:
		return "taken"
	case Unsure:
		return "unsure"
	case Divert:
		return "divert"
	}
	return "refused"
}

// Deliver filters a datagram from the peer and copies the part that the engine may read, now or
// later. It may run concurrently with the engine, on one goroutine at a time. A server's may send an
// alert, after which the handshake has failed, and a client's the ClientHello again.
func (c *Conn) Deliver(datagram []byte) Verdict {
	if !c.server && retry.IsRetry(datagram) {
		return c.retried(datagram)
	}
	v, failed := c.deliver(datagram)
	if failed != nil {
		c.refuse(failed)
	}
	return v
}

func (c *Conn) deliver(datagram []byte) (v Verdict, failed error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(datagram) == 0 || len(datagram) > maxDatagram:
		return Refused, nil
	case c.over:
		return Divert, nil
	case c.closed:
		return Refused, nil
	case c.server && !c.Proven():
		return c.greet(datagram)
	}
	now, f, heard := c.filter.sift(datagram)
	c.pass(now)
	switch {
	case f == divert:
		v = Divert
	case heard:
		v = Taken
	case f != drop:
		v = Unsure
	}
	c.noteAlert(datagram, heard)
	return v, nil
}

// greet passes the ClientHellos in a datagram to the greeting; a first ClientHello must fill the
// datagram. The sender of a second one with the right cookie has proven that it receives at its
// address.
func (c *Conn) greet(datagram []byte) (v Verdict, failed error) {
	if m, ok := helloOf(datagram); ok && m.seq == 0 {
		rec, used, _ := c.greeting.hear(datagram[:record.HeaderLen], m)
		if used {
			v = Taken
			c.ask(rec)
			c.wake.Broadcast() // Accept
		}
		return v, nil
	}
	for rest := datagram; ; {
		rec, more, ok := record.Next(rest)
		if !ok {
			return v, nil
		}
		rest = more
		h, _ := record.ParseHeader(rec)
		if h.Type != record.Handshake || h.Epoch != 0 || !known(h.Version) {
			continue
		}
		for body := rec[record.HeaderLen:]; ; {
			m, left, ok := nextMessage(body)
			if !ok || m.typ != clientHello || m.seq == 0 {
				break
			}
			body = left
			whole, used, failed := c.greeting.hear(rec[:record.HeaderLen], m)
			if used {
				v = Taken
			}
			if whole != nil || failed != nil {
				if h, ok := record.ParseHeader(whole); ok {
					c.filter.numbers = numbers{h.Seq, true}
				}
				now, _, _ := c.filter.sift(whole)
				c.unlike = c.greeting.unlike
				c.proven.Store(true)
				c.greeting = greeting{}
				c.pass(now)
				return v, failed
			}
		}
	}
}

// pass has the engine read records, if there are any.
func (c *Conn) pass(records []byte) {
	if len(records) > 0 {
		c.inbox = append(c.inbox, records)
		c.wake.Broadcast()
	}
}
