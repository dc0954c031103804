package replay

import (
	"encoding/binary"
	"errors"
)

// ErrState is returned for bytes that AppendTo has not written.
var ErrState = errors.New("replay: not the state of a window")

// AppendTo appends the window as it stands, for another process that goes on with it. newest is how many of the
// numbers up to Highest are written one by one; it is rounded up to a multiple of 64, and is at least 64 and at most
// the window's size. What is older counts as seen where the window goes on: no number is taken twice, and only what
// comes later than newest others is lost.
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

// seen says whether the number back below highest has been accepted.
func (w *Window) seen(back uint64) bool { return back <= w.highest && !w.Check(w.highest-back) }

// stateLen is how long a state is before its bits.
const stateLen = 10

// ParseState reads what AppendTo has written, and returns what stands behind it. The error is ErrState.
func ParseState(b []byte) (w *Window, rest []byte, err error) {
	if len(b) < stateLen {
		return nil, nil, ErrState
	}
	size, newest := uint64(b[0])*wordBits, uint64(b[1])*wordBits
	if size < MinSize || size > MaxSize || newest < wordBits || newest > size {
		return nil, nil, ErrState
	}
	end := stateLen + newest/8
	if uint64(len(b)) < end {
		return nil, nil, ErrState
	}
	w = NewWindow(int(size))
	if !w.mark(binary.BigEndian.Uint64(b[2:]), newest, b[stateLen:end]) {
		return nil, nil, ErrState
	}
	return w, b[end:], nil
}

// mark marks the numbers up to highest, the oldest first, in an empty window. It is false for bits that no window
// has: highest itself not seen, though numbers have been, or numbers below 0 seen.
func (w *Window) mark(highest, newest uint64, bits []byte) bool {
	for back := w.size; back > 0; {
		back--
		marked := back >= newest
		if !marked {
			marked = binary.BigEndian.Uint64(bits[back/wordBits*8:])&bit(back) != 0
			if marked && back > highest {
				return false
			}
		}
		if marked && back <= highest {
			w.Accept(highest - back)
		}
	}
	return w.highest == highest && (w.seen(0) || w.empty())
}

// empty reports whether nothing has been accepted.
func (w *Window) empty() bool { return w.highest == 0 && !w.seen(0) }
