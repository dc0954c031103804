package handshake

import (
	"slices"

	"github.com/sallyport/sallyport/internal/retry"
)

// Ticket is what a client shows with a token, to get in ahead of strangers from its network.
type Ticket struct {
	Ticket []byte
	Key    [32]byte // retry.ReturnKey of the ticket's resumption key
}

// returning is a client's part of the proof of address: the engine knows nothing of it. Conn.out
// guards it.
type returning struct {
	hello  []byte      // the datagram with the ClientHello, as it was last sent; nil before
	ticket *Ticket     // nil without
	token  retry.Token // the last
	taken  int         // how many tokens have come
	before []byte      // a RETURN that goes before each datagram; nil without a token
	first  []byte      // the same before the ClientHello: with the ticket
	buffer []byte
}

// Show has a client show a ticket if the server asks for a proof of its address. Call it before the
// handshake.
func (c *Conn) Show(t *Ticket) {
	c.out.Lock()
	defer c.out.Unlock()
	c.returning.ticket = t
}

// ahead returns a client's datagram with the token before it, if there is one. It remembers the
// ClientHello.
func (r *returning) ahead(datagram []byte) []byte {
	before := r.before
	if IsFirstHello(datagram) {
		r.hello, before = append(r.hello[:0], datagram...), r.first
	}
	if before == nil {
		return datagram
	}
	r.buffer = append(append(r.buffer[:0], before...), datagram...)
	return r.buffer
}

// retried takes a RETRY, and sends the ClientHello again at once, with its token before it. It is
// refused unless it answers the ClientHello that was sent last, HelloVerifyRequest has yet to come,
// and few have been taken before.
func (c *Conn) retried(datagram []byte) Verdict {
	c.out.Lock()
	defer c.out.Unlock()
	r := &c.returning
	if c.muted || r.hello == nil || r.taken >= retry.MaxRetries || !c.awaitsCookie() {
		return Refused
	}
	random := Random(r.hello)
	token, ok := retry.ParseRetry(datagram, &random)
	if !ok || r.taken > 0 && token == r.token {
		return Refused
	}
	r.taken++
	r.token = token
	r.before = retry.AppendReturn(r.before[:0], &token, nil, nil)
	r.first = slices.Clone(r.before)
	if t := r.ticket; t != nil {
		proof := retry.Prove(&t.Key, &token, &random)
		r.first = retry.AppendReturn(r.first[:0], &token, t.Ticket, &proof)
	}
	c.send(r.ahead(slices.Clone(r.hello)))
	return Taken
}

// awaitsCookie reports whether a client is to ignore everything before HelloVerifyRequest, which
// has not come.
func (c *Conn) awaitsCookie() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filter.cookie && !c.closed && !c.over
}
