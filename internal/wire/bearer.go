package wire

import "encoding/binary"

// BearerBody is the body of BEARER: a payload that carries the identity token itself.
//
//	offset size
//	     0    2  token length, at least 1
//	     2       token, then the payload
type BearerBody struct {
	Token   []byte // with the payload, at most MaxBody less 2 bytes
	Payload []byte
}

// ParseBearerBody reads a body. Token and Payload are parts of it. The error is ErrMalformed.
func ParseBearerBody(body []byte) (BearerBody, error) {
	var b BearerBody
	c := newParser(body)
	b.Token = c.Take(int(c.Uint16()))
	b.Payload = c.rest(MaxBody)
	if !c.Done() || len(b.Token) == 0 {
		return BearerBody{}, ErrMalformed
	}
	return b, nil
}

// AppendTo appends the body.
func (b BearerBody) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(b.Token)))
	dst = append(dst, b.Token...)
	return append(dst, b.Payload...)
}
