package sallyport_test

import (
	"encoding/hex"
	"fmt"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
)

// lanes writes the value of the field lanes, of n bytes.
func (x *text) lanes(n int, kind wire.Kind) {
	end := len(x.rest) - 2*n
	x.field(4, "generation")
	x.number(1, "delay: %d ms")
	if kind == wire.KindHello {
		for lane := 0; len(x.rest) > end; lane++ {
			x.number(4, fmt.Sprintf("first credit of lane %d: %%d bytes", lane))
		}
		return
	}
	x.number(4, "rate: %d bytes a second")
	for lane := 0; len(x.rest) > end; lane++ {
		mode := x.take(1)
		x.line(mode, fmt.Sprintf("lane %d: mode %s", lane, lanes.Mode(value(mode))))
		x.number(1, "priority %d")
		x.number(1, "weight %d")
		both := x.take(1)
		label := fmt.Sprintf("parity %d", value(both)&15)
		for i, flag := range []string{"input", "insure", "receipts"} {
			if value(both)>>4>>i&1 != 0 {
				label = flag + ", " + label
			}
		}
		x.line(both, label)
		x.number(3, "largest message: %d bytes")
		x.counted(3, "first credit", "bytes")
		x.counted(4, "largest age", "ms")
	}
}

// varint writes an integer of variable length, with its value in the label after a format that has
// a verb, and returns it.
func (x *text) varint(format string) uint64 {
	b, err := hex.DecodeString(x.rest)
	v, n := wire.ParseVarint(b)
	if err != nil || n == 0 {
		x.t.Fatalf("no integer at the front of %q", x.rest)
	}
	x.line(x.take(n), fmt.Sprintf(format, v))
	return v
}

// frames writes the frames of a body.
func (x *text) frames() {
	for x.rest != "" {
		first := x.take(1)
		typ, lane := wire.FrameType(value(first)>>4), value(first)&15
		if typ == wire.FrameAck {
			x.line(first, "ACK")
			x.ack()
			continue
		}
		x.line(first, fmt.Sprintf("%v on lane %d", typ, lane))
		total, index := 0, 0
		switch typ {
		case wire.FrameWhole:
			x.varint("id %d")
			total = int(x.varint("%d bytes"))
		case wire.FrameFragment:
			x.varint("id %d")
			index, total = int(x.varint("fragment %d")), int(x.varint("of a message of %d bytes"))
			total = wire.FragmentLen(total, index)
		case wire.FrameLatest:
			x.varint("key %d")
			x.varint("id %d")
			total = int(x.varint("%d bytes"))
		case wire.FrameSkip:
			x.varint("id %d")
			x.varint("%d bytes begun up to it")
		case wire.FrameCredit:
			x.varint("%d bytes")
		case wire.FrameParity:
			x.varint("id %d")
			total = wire.FragmentSize(int(x.varint("of a message of %d bytes")))
			x.varint("parity frame %d")
		}
		x.data(total)
	}
}

// data writes n bytes: all of a few, as text; of more than 32 only the first and the last 16.
func (x *text) data(n int) {
	if n <= 32 {
		x.field(n, ascii(x.rest[:2*n]))
		return
	}
	s := x.take(n)
	x.line(s[:32], fmt.Sprintf("the first of %d bytes", n))
	x.line(s[len(s)-32:], "the last of them")
}

func (x *text) ack() {
	x.field(4, "highest sequence")
	x.varint("delay: %d × 64 µs")
	n := x.varint("further ranges: %d")
	x.varint("first range: %d below the highest")
	for range n {
		x.varint("gap: %d and one more")
		x.varint("length: %d and one more")
	}
}
