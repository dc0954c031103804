package wire

import "encoding/binary"

// CloseBody is the body of CLOSE, whose layout is the same in every version.
//
//	offset size
//	     0    1  reason, never 0
//	     1    4  retry after: milliseconds, 0 if it makes no difference
//	     5       detail, 0 to 64 bytes
type CloseBody struct {
	Reason     Reason
	RetryAfter uint32
	Detail     []byte // for ReasonVersion one byte for each version served; else text for a log
}

// ParseCloseBody reads a body. Detail is part of it. A reason that is not known parses. The error
// is ErrMalformed.
func ParseCloseBody(body []byte) (CloseBody, error) {
	var b CloseBody
	c := newParser(body)
	b.Reason = Reason(c.Uint8())
	b.RetryAfter = c.Uint32()
	b.Detail = c.rest(MaxDetail)
	if !c.Done() || b.Reason == 0 {
		return CloseBody{}, ErrMalformed
	}
	return b, nil
}

// AppendTo appends the body.
func (b CloseBody) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(b.Reason))
	dst = binary.BigEndian.AppendUint32(dst, b.RetryAfter)
	return append(dst, b.Detail...)
}
