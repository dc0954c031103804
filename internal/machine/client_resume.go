package machine

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/wire"
)

// ErrNoTicket means that the server has given no ticket to resume the session with.
var ErrNoTicket = errors.New("session: no ticket to resume with")

// Resumable reports whether there is a ticket to resume the session with. In bearer mode none is of
// use: it does not hold the identity token that every datagram carries.
func (c *Client) Resumable() bool { return c.state == live && c.ticket != nil && !c.config.Bearer }

// SetRedirected says that the server has named another one on which the session may be resumed, or, with
// false, that this has been in vain: a CLOSE because the server shuts down does not end the session
// meanwhile.
func (c *Client) SetRedirected(redirected bool) { c.redirected = redirected }

// Shown reports whether the ticket has been presented before and WELCOME has not brought a newer
// one. The server may then count it as used, and its refusal does not mean that the session has
// ended.
func (c *Client) Shown() bool { return c.ticketShown }

// Resume returns a machine that resumes the session on another connection with the newest ticket.
// Call Tick at once: it sends the HELLO. Until EventResumed the session lives here and everything
// may be sent here; afterwards only Handle may be called, for datagrams that are still under way.
// Both machines have the same owner then.
//
// A RENEW that waits for its answer is not carried over: present a fresh token. identity is nil, or
// a fresh identity token to show with the ticket, which the session then stands on; it is needed
// where a ticket alone was refused with reason 9, because a step up has lapsed. The error is
// ErrNoTicket, or that of ClientConfig.Random.
func (c *Client) Resume(now time.Time, ch Channel, identity []byte) (*Client, error) {
	if !c.Resumable() {
		return nil, ErrNoTicket
	}
	r := &Client{counts: c.counts, paced: c.paced, former: c, lanes: c.lanes, ticket: c.ticket, resumption: c.resumption, ticketShown: true}
	if err := r.init(now, c.config, ch); err != nil {
		return nil, err
	}
	r.watch.rtt = c.watch.rtt
	m := r.newHello()
	r.nextReceive = c.window.Highest() + 1
	m.NextSend, m.NextReceive = c.sequence+1, r.nextReceive
	r.leftOut = c.counts.leftOut.Load()
	m.Ticket, m.Token, m.Proof = c.ticket, identity, make([]byte, wire.ProofLen)
	r.hello = m.AppendTo(nil)
	resume.Prove(&c.resumption, r.binding, &ch.Exporter, r.hello)
	return r, nil
}

// ReturnTicket returns the ticket with which Resume would resume the session, and the key by which its
// possession is shown before a handshake; ok is false without one.
func (c *Client) ReturnTicket() (ticket []byte, key [32]byte, ok bool) {
	if !c.Resumable() {
		return nil, key, false
	}
	key, err := retry.ReturnKey(&c.resumption)
	return c.ticket, key, err == nil
}

// adoptNumbers reports whether the numbers of a WELCOME fit a new or resumed session, and takes
// them over.
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
	c.counts.fresh, c.counts.next = true, c.leftOut
	return true
}

// storeTicket stores a ticket and the key that proves its possession. Without a new one the last
// ticket stays valid.
func (c *Client) storeTicket(ticket []byte, secret *[32]byte) {
	if ticket == nil {
		return
	}
	if key, err := resume.Key(secret); err == nil {
		c.ticket, c.resumption, c.ticketShown = append([]byte(nil), ticket...), key, false
	}
}
