package machine

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
)

// ErrNoTicket means that the server has given no ticket to resume the session with.
var ErrNoTicket = errors.New("session: no ticket to resume with")

// Resumable says whether there is a ticket to resume the session with. In bearer mode
// none is of use: the identity token that every datagram carries is not in it.
func (c *Client) Resumable() bool { return c.state == live && c.ticket != nil && !c.config.Bearer }

// Shown says whether the ticket has been shown before, since WELCOME has brought no other: on this server it may be used
// up, and its refusal says nothing of the session.
func (c *Client) Shown() bool { return c.ticketShown }

// Resume returns the machine that goes on with the session on another connection, by the newest ticket. Call Tick at
// once: it sends the HELLO. Until its EventResumed the session lives here, and everything may be sent here; afterwards
// only Handle may be called, for what is still on its way. Both machines have the same owner then.
//
// A RENEW that waits for its answer does not go with it: bring a fresh token. The error is ErrNoTicket, or that of
// ClientConfig.Random.
func (c *Client) Resume(now time.Time, ch Channel) (*Client, error) {
	if !c.Resumable() {
		return nil, ErrNoTicket
	}
	r := &Client{counts: c.counts, former: c, ticket: c.ticket, resumption: c.resumption, ticketShown: true}
	if err := r.init(now, c.config, ch); err != nil {
		return nil, err
	}
	r.watch.rtt = c.watch.rtt
	m := r.newHello()
	r.nextReceive = c.window.Highest() + 1
	m.NextSend, m.NextReceive = c.sequence+1, r.nextReceive
	m.Ticket, m.Proof = c.ticket, make([]byte, wire.ProofLen)
	r.hello = m.AppendTo(nil)
	resume.Prove(&c.resumption, r.binding, &ch.Exporter, r.hello)
	return r, nil
}

// continues says whether a WELCOME goes on where the session is, or begins one, and takes over its numbers.
func (c *Client) adoptNumbers(m *wire.Welcome) bool {
	f := c.former
	if f == nil {
		return m.ClientNext == 1 && m.ServerNext == 1
	}
	if m.ClientNext > maxSequence || m.ServerNext > maxSequence || m.ServerNext < c.nextReceive {
		return false
	}
	c.sequence = max(m.ClientNext-1, f.sequence)
	c.window.Skip(m.ServerNext - 1)
	c.counts.fresh = true
	return true
}

// keep takes a ticket, and what proves that it is ours. Without one the last one stays good.
func (c *Client) storeTicket(ticket []byte, secret *[32]byte) {
	if ticket == nil {
		return
	}
	if key, err := resume.Key(secret); err == nil {
		c.ticket, c.resumption, c.ticketShown = append([]byte(nil), ticket...), key, false
	}
}
