package wire

import (
	"encoding/binary"
	"time"
)

// AckDelayUnit is the unit of an ACK's delay.
const AckDelayUnit = 64 * time.Microsecond

// Ack says which sequences have been accepted. Gaps and lengths count as in RFC 9000 section
// 19.3.1.
//
//	highest 4          low 32 bits of the highest sequence
//	delay v            from its receipt to this ACK, in AckDelayUnit
//	number v           of further ranges, 0 to 31
//	first v            how many sequences directly below the highest belong to its range
//	(gap v, length v)  for each further range
type Ack struct {
	Highest uint32
	Delay   uint64 // in AckDelayUnit
	First   uint64
	Further uint8
	ranges  []byte // part of the body: a pair of integers for each further range
}

// Range is a range of sequences, both included.
type Range struct{ Low, High uint64 }

// Ranges puts the ranges into dst, from the highest down, given the whole of the highest sequence.
// It returns nil if one reaches below sequence 1.
func (a *Ack) Ranges(dst []Range, highest uint64) []Range {
	if highest <= a.First {
		return nil
	}
	low := highest - a.First
	dst = append(dst, Range{low, highest})
	b := a.ranges
	for range a.Further {
		gap, n := ParseVarint(b)
		length, m := ParseVarint(b[n:])
		b = b[n+m:]
		if low <= gap+2+length {
			return nil
		}
		low -= gap + 2 + length
		dst = append(dst, Range{low, low + length})
	}
	return dst
}

// AppendAck appends an ACK of ranges, at least one, from the highest down. It leaves out the lowest
// beyond MaxAckRanges and those with which the frame would be longer than limit, which is at least
// MaxAckHeader, and returns how many it took.
func AppendAck(dst []byte, ranges []Range, delay time.Duration, limit int) ([]byte, int) {
	ranges = ranges[:min(len(ranges), MaxAckRanges)]
	start := len(dst)
	units := min(uint64(max(0, delay)/AckDelayUnit), 1<<30-1)
	dst = append(dst, byte(FrameAck)<<4)
	dst = binary.BigEndian.AppendUint32(dst, uint32(ranges[0].High))
	dst = AppendVarint(dst, units)
	number := len(dst) // at most 31: one byte
	dst = append(dst, 0)
	dst = AppendVarint(dst, ranges[0].High-ranges[0].Low)
	low := ranges[0].Low
	for _, r := range ranges[1:] {
		gap, length := low-r.High-2, r.High-r.Low
		if len(dst)-start+VarintLen(gap)+VarintLen(length) > limit {
			break
		}
		dst = AppendVarint(dst, gap)
		dst = AppendVarint(dst, length)
		dst[number]++
		low = r.Low
	}
	return dst, 1 + int(dst[number])
}

func (r *frameReader) ack() Ack {
	a := Ack{Highest: r.uint32(), Delay: r.varint()}
	a.Further = uint8(r.upTo(MaxAckRanges - 1))
	a.First = r.varint()
	start := r.at
	for range a.Further {
		r.varint()
		r.varint()
	}
	if !r.bad {
		a.ranges = r.b[start:r.at:r.at]
	}
	return a
}

func (a *Ack) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, a.Highest)
	dst = AppendVarint(dst, a.Delay)
	dst = AppendVarint(dst, uint64(a.Further))
	dst = AppendVarint(dst, a.First)
	return append(dst, a.ranges...)
}
