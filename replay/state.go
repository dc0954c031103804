package replay

import (
	"encoding/binary"
	"errors"
)

// ErrState is returned for bytes that AppendTo did not write.
var ErrState = errors.New("replay: not the state of a window")

// AppendTo appends the window as it stands, for another process that continues it. newest is how
// many of the numbers up to Highest are written one by one; it is rounded up to a multiple of 64,
// and is at least 64 and at most the window's size. What is older counts as seen in the window that
// ParseState returns: no number is taken twice, and a datagram is lost only if newest others
// overtook it.
//
//	offset size
//	     0    1  size of the window / 64
//	     1    1  newest / 64
//	     2    8  highest
//	    10       newest bits in words of 8 bytes: bit k of word i says that highest - 64i - k has been seen
func (w *Window) AppendTo(dst []byte, newest int) []byte {
	words := (min(max(newest, 1), int(w.size)) + wordBits - 1) / wordBits
	dst = append(dst, byte(w.size/wordBits), byte(words))
	dst = binary.BigEndian.AppendUint64(dst, w.highest)
	for i := range uint64(words) {
		var word uint64
		for k := range uint64(wordBits) {
			if back := i*wordBits + k; w.seen(back) {
				word |= bit(k)
			}
		}
		dst = binary.BigEndian.AppendUint64(dst, word)
	}
	return dst
}

// seen reports whether the number back below highest has been accepted.
func (w *Window) seen(back uint64) bool { return back <= w.highest && !w.Check(w.highest-back) }

// stateLen is the length of a state before its bits, in bytes.
const stateLen = 10

// ParseState reads what AppendTo has written, and returns the bytes after it. The error is
// ErrState.
func ParseState(b []byte) (w Window, rest []byte, err error) {
	if len(b) < stateLen {
		return Window{}, nil, ErrState
	}
	size, newest := uint64(b[0])*wordBits, uint64(b[1])*wordBits
	if size < MinSize || size > MaxSize || newest < wordBits || newest > size {
		return Window{}, nil, ErrState
	}
	end := stateLen + newest/8
	if uint64(len(b)) < end {
		return Window{}, nil, ErrState
	}
	w = Make(int(size))
	if !w.fill(binary.BigEndian.Uint64(b[2:]), newest, b[stateLen:end]) {
		return Window{}, nil, ErrState
	}
	return w, b[end:], nil
}

// fill accepts the numbers up to highest that bits names, the oldest first, in an empty window. It
// returns false for bits that no window has: highest itself not seen although other numbers have
// been, or numbers below 0 seen.
func (w *Window) fill(highest, newest uint64, bits []byte) bool {
	for back := w.size; back > 0; {
		back--
		seen := back >= newest
		if !seen {
			seen = binary.BigEndian.Uint64(bits[back/wordBits*8:])&bit(back) != 0
			if seen && back > highest {
				return false
			}
		}
		if seen && back <= highest {
			w.Accept(highest - back)
		}
	}
	return w.highest == highest && (w.seen(0) || w.untouched())
}

// untouched reports whether nothing has been accepted.
func (w *Window) untouched() bool { return w.highest == 0 && !w.seen(0) }
