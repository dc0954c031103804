package wire

import "encoding/binary"

// Renewed is the body of RENEWED: the next token epoch.
//
//	offset size
//	     0    4  epoch: the next token epoch
//	     4   32  secret: random, new for each epoch
//	    36    8  expiry of that epoch, Unix milliseconds
//	    44       fields: ticket 2, time 9
type Renewed struct {
	Epoch      uint32 // from 1
	Secret     [32]byte
	Expiry     int64
	Ticket     []byte // to MaxTicket bytes, opaque to the client
	ServerTime int64  // Unix milliseconds, 0 if it is not stated
}

// ParseRenewed reads a body. Ticket is part of it. The error is ErrMalformed.
func ParseRenewed(body []byte) (Renewed, error) {
	var r Renewed
	c := newParser(body)
	r.Epoch = c.positive32()
	c.Fill(r.Secret[:])
	r.Expiry = int64(c.Uint64())
	for typ, value, ok := c.field(); ok; typ, value, ok = c.field() {
		switch typ {
		case fieldTicket:
			r.Ticket = c.fits(value, MaxTicket)
		case fieldTime:
			r.ServerTime = c.time(value)
		}
	}
	if !c.Done() {
		return Renewed{}, ErrMalformed
	}
	return r, nil
}

// AppendTo appends the body.
func (r Renewed) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, r.Epoch)
	dst = append(dst, r.Secret[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Expiry))
	dst = appendField(dst, fieldTicket, r.Ticket)
	if r.ServerTime == 0 {
		return dst
	}
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(r.ServerTime))
	return appendField(dst, fieldTime, at[:])
}
