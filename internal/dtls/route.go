package dtls

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
)

// Datagram finds whose a datagram is. While a second handshake runs on an
// address, the old keys are tried first: what opens under them is nobody
// else's, such as a repeated Finished, whoever has begun the handshake.
func (s *Shard) Datagram(now time.Time, addr udp.Flow, b []byte) {
	if len(b) == 0 || len(b) > udp.MaxLen || len(b) > MaxDatagram && !IsHandshake(b) && !retry.IsReturn(b) {
		s.Drop(audit.DropSize)
		return
	}
	if s.PeersFirst && begins(b) {
		s.postpone(now, addr, b)
		return
	}
	s.handle(now, addr, b)
}

// handle is Datagram for one whose turn has come.
func (s *Shard) handle(now time.Time, addr udp.Flow, b []byte) {
	if retry.IsReturn(b) {
		s.Handshakes.proofs.returned(now, addr, b)
		return
	}
	s.route(now, addr, b)
}

// route is Datagram for records.
func (s *Shard) route(now time.Time, addr udp.Flow, b []byte) {
	c, o := s.Table.At(addr), s.Handshakes.At(addr)
	switch {
	case c == nil:
		s.unlisted(now, addr, o, b)
	case o == nil && handshake.IsFirstHello(b):
		s.Handshakes.greet(now, addr, b)
	case c.names(b) && s.roamed(now, addr, b): // a translator has given the address to somebody else
	case o == nil:
		c.records(now, b)
	default:
		c.either(now, o, b)
	}
}

// names reports whether a datagram names another connection than those at this one's address.
func (c *Conn) names(b []byte) bool {
	id, ok := IDOf(b)
	return ok && id != c.ID && (c.Former == nil || id != c.Former.ID)
}

// unlisted is for an address that no connection has here: o is the half-open handshake there,
// nil without. It may be a newcomer's, that of a connection that has moved to another shard, or
// of one whose peer has moved, which its connection id names.
func (s *Shard) unlisted(now time.Time, addr udp.Flow, o *HalfOpen, b []byte) {
	away := s.Table.away(addr)
	switch {
	case o == nil && handshake.IsFirstHello(b) && !s.Handshakes.refusing:
		s.Handshakes.greet(now, addr, b)
	case s.roamed(now, addr, b):
	case o == nil && away != nil:
		s.forward(away.to, addr, b)
	case o == nil:
		s.Drop(audit.DropSource)
	case away != nil && !IsHandshake(b):
		o.astride(now, away, b)
	default:
		o.deliver(now, b)
	}
}

// roamed handles a datagram whose connection id names another shard, or a connection that is heard
// at any address, and reports whether it does.
func (s *Shard) roamed(now time.Time, addr udp.Flow, b []byte) bool {
	id, ok := IDOf(b)
	if !ok {
		return false
	}
	if home := s.Endpoint.Home(id); home != nil && home.Index != s.Index {
		if s.forwarding.taking {
			return false // it would go back and forth
		}
		s.forward(home, addr, b)
		return true
	}
	c := s.Table.byID[id]
	if c == nil || s.roaming.hears != nil && !s.roaming.hears(c) {
		return false
	}
	if c.Addr == addr { // where another one has come since
		c.records(now, b)
		return true
	}
	r := roamerOf(c)
	if r != nil {
		c.elsewhere(now, r, addr, b)
	}
	return r != nil
}

// either tries the old keys, then the new ones that wait for key confirmation. Since
// opening destroys what it fails on, the second try needs a copy; a connection id saves it.
func (c *Conn) either(now time.Time, o *HalfOpen, b []byte) {
	if id, ok := IDOf(b); ok && (id == c.ID || c.Former != nil && id == c.Former.ID) {
		c.records(now, b)
		return
	}
	f := &c.Shard.forwarding
	f.scratch = append(f.scratch[:0], b...)
	if opened, _ := c.open(now, b); !opened {
		o.deliver(now, f.scratch)
	}
}

// astride handles what comes from the address of a connection that has moved to another
// shard, while its peer makes another connection from there: it may belong to either,
// and the old one goes on until the new one takes over. Opening destroys what it
// fails on, so the second gets a copy.
func (o *HalfOpen) astride(now time.Time, away *stray, b []byte) {
	s := o.shard
	f := &s.forwarding
	f.scratch = append(f.scratch[:0], b...)
	if o.ready != nil {
		if opened, _ := o.ready.open(now, b); !opened {
			s.forward(away.to, o.addr, f.scratch)
		}
		return
	}
	s.forward(away.to, o.addr, f.scratch)
	o.deliver(now, b)
}

// IsHandshake reports whether a datagram begins with a record of a handshake. An empty one does not.
func IsHandshake(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	t := record.ContentType(b[0])
	return t == record.ChangeCipherSpec || t == record.Handshake
}

// records opens the records of a datagram one by one, and reports whether any
// was the connection's.
func (c *Conn) records(now time.Time, b []byte) bool {
	opened, failed := c.open(now, b)
	for range failed {
		c.Shard.Drop(audit.DropRecord)
	}
	return opened
}

// open opens the records of a datagram for the connection and the former one whose place it
// takes. It reports whether any record was theirs, and how many were not.
func (c *Conn) open(now time.Time, b []byte) (opened bool, failed int) {
	if c.Former != nil {
		return c.openEither(now, b)
	}
	return c.openOwn(now, b)
}

// openEither opens what may be the connection's or the former one's. A connection id
// says which; without, only what comes from the address of both can be either's. Since
// opening destroys what it fails on, a second try needs a copy.
func (c *Conn) openEither(now time.Time, b []byte) (opened bool, failed int) {
	f, former := &c.Shard.forwarding, c.Former
	id, ok := IDOf(b)
	switch {
	case former.place < 0:
		return c.openOwn(now, b)
	case ok && id == former.ID:
		return former.openOwn(now, b)
	case former.Addr != c.Addr:
		return c.openOwn(now, b)
	}
	f.second = append(f.second[:0], b...)
	if opened, failed = c.openOwn(now, b); opened {
		return opened, failed
	}
	return former.openOwn(now, f.second)
}

// openOwn opens the records of the connection itself.
func (c *Conn) openOwn(now time.Time, b []byte) (opened bool, failed int) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			return opened, failed + 1
		}
		b = rest
		typ, plaintext, err := c.Record.Open(rec)
		if err != nil {
			failed++
			continue
		}
		if opened = true; c.place == unconfirmed {
			c.Shard.Handshakes.confirm(now, c)
		}
		switch typ {
		case record.ApplicationData:
			c.flight = nil // a peer that sends data has got it
			c.User.Handle(now, c.Shard.waiting.waited(), plaintext)
		case record.Alert:
			if IsFinal(plaintext) {
				c.User.Closed(now)
			}
		case record.Handshake:
			if handshake.IsFinished(plaintext) {
				c.flight.repeat(now, c)
			}
		}
	}
	return opened, failed
}

// alertFatal is the level of an alert that ends the connection (RFC 5246 7.2).
const alertFatal = 2

// IsFinal reports whether an alert ends the connection: a fatal one, or a
// close_notify. Others are warnings.
func IsFinal(alert []byte) bool {
	return len(alert) == 2 && (alert[0] == alertFatal || record.IsCloseNotify(alert))
}
