package transport

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// receive is the client's one goroutine: it reads the socket, and wakes for
// what is due.
func (c *Client) receive() {
	b := make([]byte, udp.BufferLen)
	var failed udp.Failures
	for {
		socket := c.socket.Load()
		n, from, err := socket.Read(b)
		now := time.Now()
		c.mu.Lock()
		switch {
		case errors.Is(err, net.ErrClosed):
			if c.socket.Load() == socket { // else there is another one
				c.finish(net.ErrClosed)
				c.answers = time.Time{}
				c.answered() // nobody will
			}
		case err == nil:
			c.arrival(now, from, b[:n])
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.fault.Store(&err)
		}
		c.tick(now)
		over := c.err != nil && !now.Before(c.answers)
		c.mu.Unlock()
		if over {
			return
		}
		switch {
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
			failed.End()
		case !errors.Is(err, net.ErrClosed):
			failed.Pause() // it says nothing that can be believed
		}
	}
}

// arrival hands a datagram to the handshakes or to the record layer.
//
// +checklocks:c.mu
func (c *Client) arrival(now time.Time, from netip.AddrPort, b []byte) {
	if c.line.record != nil {
		c.datagram(now, from, b)
		return
	}
	for _, l := range c.trying {
		if udp.Same(from, l.remote) {
			c.came(b)
			l.deliver(now, b)
		}
	}
}

// came counts what has come from a server's address.
//
// +checklocks:c.mu
func (c *Client) came(b []byte) {
	c.stats.BytesReceived += uint64(len(b))
	if c.fault.Load() != nil {
		c.fault.Store(nil)
	}
}

// envelope hands a record's plaintext to the line's machine, and does what it says.
//
// +checklocks:c.mu
func (c *Client) envelope(now time.Time, l *line, plaintext []byte) {
	reply, ev := l.session.Handle(now, plaintext)
	if reply.Kind != 0 && l != c.former {
		c.send(l, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
	}
	switch ev.Kind {
	case machine.EventNone:
		if ev.Drop != 0 {
			c.stats.Dropped++
		}
		return
	case machine.EventData:
		c.stats.Received++
		c.stats.Overrun += c.inbox.push(ev.Payload)
		c.announce()
		return
	case machine.EventPong:
		return
	case machine.EventJoined, machine.EventResumed:
		if ev.Hint != 0 {
			l.record.SetConnectionID(ev.Hint) // one that is of no use is ignored
		}
		if ev.Kind == machine.EventResumed {
			c.resumed(now)
			break
		}
		close(c.joined)
		c.scheduleRenewal(now)
	case machine.EventRenewed:
		if l == c.former {
			return
		}
		c.retryAt = time.Time{} // there is another ticket
		if c.next != nil {
			c.next.overtaken = true
		}
		c.scheduleRenewal(now)
	case machine.EventMoved:
		c.stats.Moved++
	case machine.EventNotice:
		if ev.Notice.Code == wire.NoticeStepUp {
			c.renewSoon(now)
		}
	case machine.EventClosed:
		c.alert(l, record.CloseNotify[:])
		switch l {
		case c.former:
			return
		case c.next:
			c.refused(now, ev)
			return
		}
		if l.session.Resumable() { // from where the player is, perhaps
			c.disconnected, c.refusal = true, closeErrorOf(ev)
			return
		}
		c.answers = now.Add(closeTime)
		c.conclude(closeErrorOf(ev))
		return
	case machine.EventCloseAgain:
		c.alert(l, record.CloseNotify[:])
		c.answered() // who ends the session knows of its end
		return
	}
	c.notify(ClientEvent{Kind: clientEvents[ev.Kind], Notice: ev.Notice.Code})
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

// tick sends what is due, and sets the time at which the loop wakes next.
//
// +checklocks:c.mu
func (c *Client) tick(now time.Time) {
	switch {
	case c.line.session == nil:
		return
	case c.err != nil:
		c.socket.Load().SetReadDeadline(c.answers) //nolint:errcheck // of a socket that is closed
		return
	}
	due := c.line.session.Tick(now, c.line.emit)
	if c.line.session.Silent(now) {
		c.conclude(cmp.Or(c.refusal, c.failed, c.silence()))
		return
	}
	due = c.reconnect(now, due)
	if c.err == nil {
		c.socket.Load().SetReadDeadline(c.renewal(now, due)) //nolint:errcheck // of a socket that is closed
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
