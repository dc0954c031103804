package handshake

import (
	"encoding/binary"
	"net"
	"slices"

	"github.com/sallyport/sallyport/internal/record"
)

// Write sends a datagram of the engine, and records what it reveals about the handshake. After Mute
// it discards the datagram and reports success.
func (c *Conn) Write(datagram []byte) (int, error) {
	c.out.Lock()
	defer c.out.Unlock()
	if c.muted {
		return len(datagram), nil
	}
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	b := append(c.numbering.buffer[:0], datagram...)
	c.numbering.buffer = b
	for rest := b; ; {
		rec, more, ok := record.Next(rest)
		if !ok {
			break
		}
		rest = more
		c.renumber(rec)
		c.observe(rec)
	}
	if c.server {
		c.send(b)
	} else {
		c.send(c.returning.ahead(b))
	}
	return len(datagram), nil
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// observe notes one record of the engine's, before it is sent: from the moment it is on the wire,
// the peer may answer it.
func (c *Conn) observe(rec []byte) {
	h, _ := record.ParseHeader(rec)
	if h.Epoch == 0 {
		c.next = h.Seq + 1
	}
	switch body := rec[record.HeaderLen:]; {
	case h.Epoch == 0 && h.Type == record.Handshake && len(body) > 0 && body[0] == helloVerify:
		c.asked(body)
	case h.Epoch == 0 && h.Type == record.Handshake && len(body) > 0 && body[0] == certificateVerify:
		c.shown = true
	case h.Epoch == 0 && h.Type == record.ChangeCipherSpec:
		c.ccs = slices.Clone(rec)
	case h.Epoch == 1 && len(rec) >= record.Overhead:
		c.spent = append(c.spent, binary.BigEndian.Uint64(body))
		if h.Type == record.Handshake {
			c.fin = slices.Clone(rec)
			c.ownFinished()
		}
	}
}

// asked notes the cookie in an engine's HelloVerifyRequest: server_version 2 ‖ cookie <0..255>.
func (c *Conn) asked(body []byte) {
	m, _, ok := nextMessage(body)
	if !ok || !c.server || len(m.body) < 2 {
		return
	}
	in := reader(m.body[2:])
	cookie, ok := in.vector8()
	if !ok || len(cookie) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.greeting.cookie = slices.Clone(cookie)
}

// ownFinished follows the engine's Finished: a server has completed its part with it, and unread
// datagrams are retransmissions; a client has used its keys.
func (c *Conn) ownFinished() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.filter.keyed = true
	if c.server {
		c.over, c.inbox = true, nil
	}
}

// Mute ends the engine's part of a handshake that succeeded: when it returns, nothing more of the
// engine is sent and everything that arrives is for the record layer. Engines call it before they
// read the record numbers they have used, so that none can be used twice.
func (c *Conn) Mute() {
	c.out.Lock()
	c.muted = true
	c.out.Unlock()
	c.mu.Lock()
	c.over, c.inbox = true, nil
	c.clearAlert()
	c.mu.Unlock()
}

// Result completes the secrets of a muted engine with what the Conn has seen on the wire. It fails
// with ErrFailed if the secrets cannot be used, as when a random nonce of the engine lies where the
// record layer would reach it: once in 2^32 handshakes of pion/dtls v2.
func (c *Conn) Result(s record.Secrets, next uint64, peer [][]byte) (*Result, error) {
	c.out.Lock()
	defer c.out.Unlock()
	s.Spent = slices.Clone(c.spent)
	if err := s.Check(next); err != nil || c.fin == nil || c.ccs == nil {
		return nil, Failure(err)
	}
	return &Result{Secrets: s, Next: next, Peer: peer, Shown: c.shown, Flight: slices.Concat(c.ccs, c.fin)}, nil
}
