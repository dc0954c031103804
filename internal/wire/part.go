package wire

import (
	"encoding/binary"
	"iter"
)

// Part is a piece of the body of a HELLO or a RENEW; each is sent in an envelope of its own.
//
//	offset size
//	     0    2  total: length of the whole body
//	     2    2  offset of this part in it, a multiple of 1024
//	     4       data: 1024 bytes, in the last part what is left
type Part struct {
	Total  uint16 // 1 to MaxHelloBody
	Offset uint16
	Data   []byte
}

// ParsePart reads the body of an envelope. Data is part of it. The error is ErrMalformed.
func ParsePart(body []byte) (Part, error) {
	c := newParser(body)
	p := Part{Total: c.Uint16(), Offset: c.Uint16()}
	p.Data = c.rest(MaxPart)
	if !c.Done() || p.Total > MaxHelloBody || p.Offset%MaxPart != 0 || p.Offset >= p.Total {
		return Part{}, ErrMalformed
	}
	if len(p.Data) != min(MaxPart, int(p.Total-p.Offset)) {
		return Part{}, ErrMalformed
	}
	return p, nil
}

// AppendTo appends the part.
func (p Part) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, p.Total)
	dst = binary.BigEndian.AppendUint16(dst, p.Offset)
	return append(dst, p.Data...)
}

// Parts cuts a body of 1 to MaxHelloBody bytes. The parts borrow from it.
func Parts(body []byte) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for offset := 0; offset < len(body); offset += MaxPart {
			data := body[offset:min(offset+MaxPart, len(body))]
			if !yield(Part{Total: uint16(len(body)), Offset: uint16(offset), Data: data}) {
				return
			}
		}
	}
}
