package transport

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/wire"
)

// receive is the client's one goroutine: it reads the socket, and wakes for
// what is due.
func (c *Client) receive() {
	b := make([]byte, bufferLen)
	for {
		n, from, err := c.socket.read(b)
		now := time.Now()
		c.mu.Lock()
		switch {
		case errors.Is(err, net.ErrClosed):
			c.finish(net.ErrClosed)
		case err == nil && from == c.remote:
			c.arrival(now, b[:n])
		}
		c.tick(now)
		over := c.err != nil
		c.mu.Unlock()
		if over {
			return
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			time.Sleep(time.Millisecond) // an ICMP message: it says nothing that can be believed
		}
	}
}

// arrival hands a datagram to the handshake or to the record layer.
//
// +checklocks:c.mu
func (c *Client) arrival(now time.Time, b []byte) {
	if c.record != nil {
		c.datagram(now, b)
		return
	}
	if c.negotiating.Deliver(b) == handshake.Divert && len(c.backlog) < maxBacklog {
		c.backlog = append(c.backlog, slices.Clone(b))
	}
}

// datagram opens the records of a datagram.
//
// +checklocks:c.mu
func (c *Client) datagram(now time.Time, b []byte) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			c.stats.Dropped++
			return
		}
		b = rest
		typ, plaintext, err := c.record.Open(rec)
		switch {
		case err != nil:
			c.stats.Dropped++
		case typ == record.ApplicationData:
			c.envelope(now, plaintext)
		case typ == record.Alert && isFinal(plaintext):
			c.finish(ErrDisconnected)
		}
	}
}

// +checklocks:c.mu
func (c *Client) envelope(now time.Time, plaintext []byte) {
	reply, ev := c.session.Handle(now, plaintext)
	if reply.Kind != 0 {
		c.send(reply.Kind, reply.Body)
	}
	switch ev.Kind {
	case session.EventNone:
		if ev.Drop != 0 {
			c.stats.Dropped++
		}
		return
	case session.EventData:
		c.stats.Received++
		c.stats.Overrun += c.inbox.push(ev.Payload)
		c.announce()
		return
	case session.EventPong:
		c.stats.RTT = ev.RTT
		return
	case session.EventJoined:
		if ev.Hint != 0 {
			c.record.SetHint(ev.Hint) // one that is of no use is ignored
		}
		close(c.joined)
		c.scheduleRenewal(now)
	case session.EventRenewed:
		c.scheduleRenewal(now)
	case session.EventNotice:
		if ev.Notice.Code == wire.NoticeStepUp {
			c.renewAt = now
		}
	case session.EventClosed:
		c.finish(&CloseError{Reason: ev.Reason, RetryAfter: ev.RetryAfter})
	}
	c.notify(ClientEvent{Kind: ev.Kind, Reason: ev.Reason, Notice: ev.Notice.Code})
}

// announce wakes one Receive.
func (c *Client) announce() {
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

func (c *Client) notify(ev ClientEvent) {
	if c.config.OnEvent != nil {
		c.config.OnEvent(ev)
	}
}

// scheduleRenewal picks a moment when a third to a quarter of the token's life
// is left: spread, so that players who came together do not renew together.
//
// +checklocks:c.mu
func (c *Client) scheduleRenewal(now time.Time) {
	left := c.session.Expires().Sub(now)
	c.renewAt = now.Add(left*2/3 + time.Duration(rand.Float64()*float64(left)/12))
}

// tick sends what is due, and sets the time at which the loop wakes next.
//
// +checklocks:c.mu
func (c *Client) tick(now time.Time) {
	if c.session == nil || c.err != nil {
		return
	}
	due := c.session.Tick(now, c.emit)
	if c.session.Silent(now) {
		c.finish(ErrTimeout)
		return
	}
	if !c.renewAt.IsZero() {
		if !now.Before(c.renewAt) {
			c.renewAt = time.Time{}
			c.wg.Go(c.renew)
		} else if c.renewAt.Before(due) {
			due = c.renewAt
		}
	}
	c.socket.SetReadDeadline(due)
}

// renew fetches a fresh identity token and has it presented.
func (c *Client) renew() {
	identity, err := c.config.Token(c.ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if err == nil {
		err = c.session.Renew(now, identity)
	}
	if err != nil {
		c.renewAt = now.Add(renewRetry)
		c.notify(ClientEvent{Kind: session.EventRefused, Err: err})
	}
	c.tick(now)
}

// say is send for what is repeated when it is lost. The session's Tick calls it,
// and so mu is held.
//
// +checklocksignore
func (c *Client) say(kind wire.Kind, body []byte) { _ = c.send(kind, body) }

// send seals an envelope and writes it.
//
// +checklocks:c.mu
func (c *Client) send(kind wire.Kind, body []byte) error {
	b, err := sealEnvelope(c.buffer, c.record, c.session, kind, body)
	if err == nil {
		c.write(b)
	}
	return err
}

// +checklocks:c.mu
func (c *Client) alert(alert []byte) {
	if b, err := c.record.Seal(c.buffer[:0], record.Alert, alert); err == nil {
		c.write(b)
	}
}

// inbox is a ring of payloads that wait for Receive.
type inbox struct {
	ring         [][]byte
	first, count int
}

// push copies b to the end and says how many older payloads it pushed out.
func (in *inbox) push(b []byte) (lost uint64) {
	if in.ring == nil {
		in.ring = make([][]byte, receiveQueue)
	}
	if in.count == len(in.ring) {
		in.first, in.count, lost = (in.first+1)%len(in.ring), in.count-1, 1
	}
	slot := &in.ring[(in.first+in.count)%len(in.ring)]
	*slot = append((*slot)[:0], b...)
	in.count++
	return lost
}

// pop copies the oldest payload to b; ok is false when there is none.
func (in *inbox) pop(b []byte) (n int, ok bool, err error) {
	if in.count == 0 {
		return 0, false, nil
	}
	payload := in.ring[in.first]
	in.first, in.count = (in.first+1)%len(in.ring), in.count-1
	if len(payload) > len(b) {
		return 0, true, io.ErrShortBuffer
	}
	return copy(b, payload), true, nil
}
