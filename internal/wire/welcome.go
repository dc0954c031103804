package wire

import "encoding/binary"

// Welcome is the body of WELCOME: the session that an accepted HELLO opened.
//
//	offset size
//	     0   16  client nonce: the one of the HELLO it answers
//	    16    4  session id, never 0
//	    20    4  epoch: the token epoch, 1 in a new session
//	    24   32  secret: random, new for each accepted HELLO
//	    56    8  client next: the client's next sequence to send
//	    64    8  server next: the server's next sequence to send
//	    72    4  features: bits that both have
//	    76    4  connection id, 0 if there is none
//	    80    8  expiry of the epoch, Unix milliseconds
//	    88    8  server time, Unix milliseconds
//	    96       fields: ticket 2, limits 6 (always there), lanes 8
type Welcome struct {
	Nonce        [16]byte
	Session      uint32 // from 1
	Epoch        uint32 // from 1
	Secret       [32]byte
	ClientNext   uint64 // from 1
	ServerNext   uint64 // from 1
	Features     uint32
	ConnectionID uint32
	Expiry       int64
	ServerTime   int64 // the server's clock: Expiry minus ServerTime is the time left, independent of the client's clock
	Limits       Limits
	Ticket       []byte // to MaxTicket bytes, opaque to the client
	Lanes        WelcomeLanes
}

// Limits is the value of WELCOME's limits field, which the client keeps to.
//
//	offset size
//	     0    2  payload: largest DATA payload in bytes
//	     2    4  rate: datagrams a second that the client may send
//	     6    4  idle: milliseconds without a datagram after which the server ends the session
type Limits struct {
	MaxPayload uint16
	Rate       uint32
	Idle       uint32
}

// ParseWelcome reads a body. Ticket is part of it. The error is ErrMalformed.
func ParseWelcome(body []byte) (Welcome, error) {
	var w Welcome
	c := newParser(body)
	c.Fill(w.Nonce[:])
	w.Session = c.positive32()
	w.Epoch = c.positive32()
	c.Fill(w.Secret[:])
	w.ClientNext = c.positive64()
	w.ServerNext = c.positive64()
	w.Features = c.Uint32()
	w.ConnectionID = c.Uint32()
	w.Expiry = int64(c.Uint64())
	w.ServerTime = int64(c.Uint64())
	limits := false
	for typ, value, ok := c.field(); ok; typ, value, ok = c.field() {
		switch typ {
		case fieldTicket:
			w.Ticket = c.fits(value, MaxTicket)
		case fieldLimits:
			w.Limits, limits = parseLimits(value)
		case fieldLanes:
			w.Lanes = c.welcomeLanes(value)
		}
	}
	if !c.Done() || !limits || (w.Features&FeatureLanes != 0) != w.Lanes.Present() {
		return Welcome{}, ErrMalformed
	}
	return w, nil
}

// AppendTo appends the body.
func (w Welcome) AppendTo(dst []byte) []byte {
	dst = append(dst, w.Nonce[:]...)
	dst = binary.BigEndian.AppendUint32(dst, w.Session)
	dst = binary.BigEndian.AppendUint32(dst, w.Epoch)
	dst = append(dst, w.Secret[:]...)
	dst = binary.BigEndian.AppendUint64(dst, w.ClientNext)
	dst = binary.BigEndian.AppendUint64(dst, w.ServerNext)
	dst = binary.BigEndian.AppendUint32(dst, w.Features)
	dst = binary.BigEndian.AppendUint32(dst, w.ConnectionID)
	dst = binary.BigEndian.AppendUint64(dst, uint64(w.Expiry))
	dst = binary.BigEndian.AppendUint64(dst, uint64(w.ServerTime))
	dst = appendField(dst, fieldTicket, w.Ticket)
	limits := w.Limits.bytes()
	dst = appendField(dst, fieldLimits, limits[:])
	if w.Lanes.Present() {
		var b [maxWelcomeLanes]byte
		dst = appendField(dst, fieldLanes, w.Lanes.AppendTo(b[:0]))
	}
	return dst
}

const limitsLen = 10

func parseLimits(b []byte) (l Limits, ok bool) {
	c := newParser(b)
	l.MaxPayload = c.Uint16()
	l.Rate = c.Uint32()
	l.Idle = c.Uint32()
	return l, c.Done()
}

func (l Limits) bytes() (b [limitsLen]byte) {
	binary.BigEndian.PutUint16(b[0:], l.MaxPayload)
	binary.BigEndian.PutUint32(b[2:], l.Rate)
	binary.BigEndian.PutUint32(b[6:], l.Idle)
	return b
}
