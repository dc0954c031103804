package wire

import (
	"bytes"
	"time"
)

// Assembler puts the parts of one body together, in any order and with repetitions. It holds at
// most one partial body, for PartialLife, in a buffer that exists only once a body of several parts
// has begun.
//
// The zero value is ready. It has one owner, who calls Reset when parts of another kind of body
// begin.
type Assembler struct {
	started time.Time // when the partial body's first part came
	body    []byte    // as long as the whole, once a partial body has begun
	have    uint8     // bit i: part i is there; 0 means no partial body
}

// Add takes p, which ParsePart or Parts returned, and returns the body once it is complete. The
// body lives until the next Add or Reset, and as long as p.Data does: a body of one part is
// returned where it lies.
//
// A part that contradicts the partial body, or belongs to a body of another length, discards both:
// the error is ErrMalformed, and the sender has to start again.
func (a *Assembler) Add(now time.Time, p Part) (body []byte, ok bool, err error) {
	if a.have != 0 && now.Sub(a.started) >= PartialLife {
		a.have = 0
	}
	if a.have != 0 && !a.agrees(p) {
		a.have = 0
		return nil, false, ErrMalformed
	}
	if len(p.Data) == int(p.Total) {
		return p.Data, true, nil
	}
	if a.have == 0 {
		a.begin(now, int(p.Total))
	}
	copy(a.body[p.Offset:], p.Data)
	a.have |= partBit(p)
	if a.have != allParts(len(a.body)) {
		return nil, false, nil
	}
	a.have = 0
	return a.body, true, nil
}

// Reset discards the partial body and frees the buffer.
func (a *Assembler) Reset() { *a = Assembler{} }

func (a *Assembler) begin(now time.Time, total int) {
	a.started = now
	if cap(a.body) < total {
		a.body = make([]byte, total)
	}
	a.body = a.body[:total]
}

// agrees reports whether p belongs to the partial body and does not contradict it.
func (a *Assembler) agrees(p Part) bool {
	if int(p.Total) != len(a.body) {
		return false
	}
	return a.have&partBit(p) == 0 || bytes.Equal(a.body[p.Offset:][:len(p.Data)], p.Data)
}

func partBit(p Part) uint8 { return 1 << (p.Offset / MaxPart) }

// allParts returns the value of have for a complete body of total bytes.
func allParts(total int) uint8 { return 1<<((total+MaxPart-1)/MaxPart) - 1 }
