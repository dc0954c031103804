package wire

import (
	"encoding/binary"
	"strconv"
)

// Bounds of frames.
const (
	// MaxLanes is how many lanes a session may have: a frame names its lane in 4 bits.
	MaxLanes = 16

	// MaxFragment is the longest data of a frame in bytes, and of a fragment: with the longest header of a frame, and an ACK of 38 bytes before it, it fits MaxBody.
	MaxFragment = 1088

	// MaxMessage is the longest message in bytes: its length has 3 bytes in WELCOME.
	MaxMessage = 1<<24 - 1

	// MaxParity is the largest number of parity frames of a message.
	MaxParity = 4

	// MaxParityFragments is how many fragments a message with parity has at most: to put one
	// together costs the cube of them, 30 µs for this many.
	MaxParityFragments = 32

	// MaxAckRanges is how many ranges an ACK has at most, its first included.
	MaxAckRanges = 32

	// MaxAckHeader is the longest ACK without further ranges, in bytes.
	MaxAckHeader = 1 + 4 + 8 + 1 + 8
)

// FrameType says what a frame holds.
type FrameType uint8

// The types of frames.
const (
	FrameAck      FrameType = 1
	FrameWhole    FrameType = 2
	FrameFragment FrameType = 3
	FrameLatest   FrameType = 4
	FrameSkip     FrameType = 5
	FrameCredit   FrameType = 6
	FrameParity   FrameType = 7
)

var frameNames = [...]string{"ACK", "WHOLE", "FRAGMENT", "LATEST", "SKIP", "CREDIT", "PARITY"}

// String returns the name PROTOCOL.md uses, or "frame N".
func (t FrameType) String() string {
	if FrameAck <= t && t <= FrameParity {
		return frameNames[t-1]
	}
	return "frame " + strconv.Itoa(int(t))
}

// Frame is one frame of the body of FRAMES. Integers marked v have variable length.
//
//	1 ACK       [Ack]
//	2 WHOLE     id v, length v, data
//	3 FRAGMENT  id v, index v, total v, data
//	4 LATEST    key v, id v, length v, data
//	5 SKIP      id v, bytes v
//	6 CREDIT    bytes v
//	7 PARITY    id v, total v, index v, data
//
// Before them stands one byte: the type in its high 4 bits, the lane in the low 4, zero in an ACK.
type Frame struct {
	Type  FrameType
	Lane  uint8
	Index uint16 // of the fragment or the parity frame, from 0
	Key   uint32
	Total uint32 // length of the whole message in bytes
	ID    uint64 // of the message, from 1; of SKIP: the first that is not skipped
	Bytes uint64 // of SKIP and CREDIT
	Data  []byte // part of the body
	Ack   Ack
}

// Fragments returns in how many fragments a message of total bytes travels.
func Fragments(total int) int { return max(1, (total+MaxFragment-1)/MaxFragment) }

// FragmentSize returns the length of every fragment but the last, and of every parity frame: as even
// as whole bytes allow, so that parity costs as little as it can.
func FragmentSize(total int) int {
	n := Fragments(total)
	return (total + n - 1) / n
}

// FragmentLen returns the length of a fragment of a message of total bytes.
func FragmentLen(total, index int) int {
	size := FragmentSize(total)
	return min(size, total-index*size)
}

// Frames reads the body of FRAMES from front to back.
type Frames struct {
	left  []byte
	begun bool
	bad   bool
}

// NewFrames returns a reader at the front of body.
func NewFrames(body []byte) Frames { return Frames{left: body, bad: len(body) == 0} }

// Next reads the next frame into f, whose Data and Ack are parts of the body, and reports whether
// there was one. It stops for good at what is malformed.
func (r *Frames) Next(f *Frame) bool {
	if r.bad || len(r.left) == 0 {
		return false
	}
	n := f.parse(r.left)
	if n == 0 || f.Type == FrameAck && r.begun {
		r.bad = true
		return false
	}
	r.left, r.begun = r.left[n:], true
	return true
}

// Malformed reports whether the body, as far as it has been read, broke the form of FRAMES.
func (r *Frames) Malformed() bool { return r.bad }

// parse reads the frame at the front of b and returns its length, zero if it is malformed.
func (f *Frame) parse(b []byte) int {
	*f = Frame{Type: FrameType(b[0] >> 4), Lane: b[0] & 15}
	r := frameReader{b: b, at: 1}
	switch f.Type {
	case FrameAck:
		r.require(f.Lane == 0)
		f.Ack = r.ack()
	case FrameWhole:
		f.ID = r.positive()
		f.Data = r.take(r.upTo(MaxFragment))
		f.Total = uint32(len(f.Data))
	case FrameFragment:
		f.ID = r.positive()
		f.Index = uint16(r.upTo(MaxMessage / MaxFragment))
		f.Total = r.whole()
		r.require(int(f.Index) < Fragments(int(f.Total)))
		f.Data = r.take(uint64(max(0, FragmentLen(int(f.Total), int(f.Index)))))
	case FrameLatest:
		f.Key = uint32(r.upTo(1<<32 - 1))
		f.ID = r.positive()
		f.Data = r.take(r.upTo(MaxFragment))
		f.Total = uint32(len(f.Data))
	case FrameSkip:
		f.ID = r.positive()
		r.require(f.ID > 1)
		f.Bytes = r.varint()
	case FrameCredit:
		f.Bytes = r.varint()
	case FrameParity:
		f.ID = r.positive()
		f.Total = r.whole()
		f.Index = uint16(r.upTo(MaxParity - 1))
		f.Data = r.take(uint64(FragmentSize(int(f.Total))))
	default:
		return 0
	}
	if r.bad {
		return 0
	}
	return r.at
}

// AppendTo appends the frame.
func (f *Frame) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(f.Type)<<4|f.Lane)
	switch f.Type {
	case FrameAck:
		return f.Ack.appendTo(dst)
	case FrameWhole:
		dst = AppendVarint(dst, f.ID)
		dst = AppendVarint(dst, uint64(len(f.Data)))
	case FrameFragment:
		dst = AppendVarint(dst, f.ID)
		dst = AppendVarint(dst, uint64(f.Index))
		dst = AppendVarint(dst, uint64(f.Total))
	case FrameLatest:
		dst = AppendVarint(dst, uint64(f.Key))
		dst = AppendVarint(dst, f.ID)
		dst = AppendVarint(dst, uint64(len(f.Data)))
	case FrameSkip:
		dst = AppendVarint(dst, f.ID)
		dst = AppendVarint(dst, f.Bytes)
	case FrameCredit:
		dst = AppendVarint(dst, f.Bytes)
	case FrameParity:
		dst = AppendVarint(dst, f.ID)
		dst = AppendVarint(dst, uint64(f.Total))
		dst = AppendVarint(dst, uint64(f.Index))
	}
	return append(dst, f.Data...)
}

// Len returns how many bytes AppendTo appends for a frame other than ACK.
func (f *Frame) Len() int {
	n := 1 + len(f.Data)
	switch f.Type {
	case FrameWhole:
		n += VarintLen(f.ID) + VarintLen(uint64(len(f.Data)))
	case FrameFragment, FrameParity:
		n += VarintLen(f.ID) + VarintLen(uint64(f.Index)) + VarintLen(uint64(f.Total))
	case FrameLatest:
		n += VarintLen(uint64(f.Key)) + VarintLen(f.ID) + VarintLen(uint64(len(f.Data)))
	case FrameSkip:
		n += VarintLen(f.ID) + VarintLen(f.Bytes)
	case FrameCredit:
		n += VarintLen(f.Bytes)
	}
	return n
}

// A frameReader reads the fields of one frame; once something is wrong it is bad and returns zeros.
type frameReader struct {
	b   []byte
	at  int
	bad bool
}

func (r *frameReader) require(ok bool) { r.bad = r.bad || !ok }

func (r *frameReader) varint() uint64 {
	v, n := ParseVarint(r.b[r.at:])
	r.at += n
	r.require(n > 0)
	return v
}

func (r *frameReader) positive() uint64 {
	v := r.varint()
	r.require(v > 0)
	return v
}

// upTo reads a number of at most limit.
func (r *frameReader) upTo(limit uint64) uint64 {
	v := r.varint()
	if v > limit {
		r.bad = true
		return 0
	}
	return v
}

// whole reads the length of a message that has more than one fragment.
func (r *frameReader) whole() uint32 {
	v := r.upTo(MaxMessage)
	r.require(v > MaxFragment)
	return uint32(v)
}

func (r *frameReader) take(n uint64) []byte {
	if r.bad || uint64(len(r.b)-r.at) < n {
		r.bad = true
		return nil
	}
	b := r.b[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *frameReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}
