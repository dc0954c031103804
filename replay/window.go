package replay

import (
	"errors"
	"math"
	"slices"
)

// Sizes of a window, in sequence numbers. A size is a multiple of 64.
const (
	// MinSize is one word, the window of plain DTLS.
	MinSize = 64

	// DefaultSize lets 1,023 other numbers overtake one: 8 s of them at 128 a second, 0.5 s at
	// 2,000.
	DefaultSize = 1024

	// MaxSize costs 2 KiB a window.
	MaxSize = 8192

	// wordBits is the number of bits in a word of the ring.
	wordBits = 64

	// smallWords is the ring of a window up to twice the default, in words.
	smallWords = 32
)

// ErrSize is returned for a window size that is not a multiple of 64 from MinSize to MaxSize.
var ErrSize = errors.New("replay: window size is not a multiple of 64 from 64 to 8192")

// Size returns the window size that a configuration of n means: DefaultSize for zero, otherwise n.
func Size(n int) (int, error) {
	if n == 0 {
		return DefaultSize, nil
	}
	if n < MinSize || n > MaxSize || n%wordBits != 0 {
		return 0, ErrSize
	}
	return n, nil
}

// Window is a sliding window of sequence numbers. Make returns one, to be stored where it is used;
// Clone copies one that is in use. It has one owner, and nothing here locks. The zero Window spans
// nothing and takes only numbers above the highest.
//
// In a new window nothing has been seen and Highest is 0. The number 0 is a number like any other,
// since DTLS counts records from 0; a user whose numbers begin at 1 refuses 0 itself.
type Window struct {
	highest uint64             // highest number accepted, 0 before the first
	size    uint64             // numbers that the window spans, highest included
	large   []uint64           // the ring of a window that is too large for small, else nil
	small   [smallWords]uint64 // the ring of any other, in the memory of the struct that holds the window
}

// Make returns an empty window that spans size numbers; zero means DefaultSize. It panics if Size
// refuses size, so configuration checks that first.
func Make(size int) Window {
	size, err := Size(size)
	if err != nil {
		panic(err)
	}
	words := smallWords
	for words*wordBits < size+wordBits {
		words *= 2
	}
	w := Window{size: uint64(size)}
	if words > smallWords {
		w.large = make([]uint64, words)
	}
	return w
}

// Clone returns a copy that goes on independently.
func (w *Window) Clone() Window {
	c := *w
	c.large = slices.Clone(w.large)
	return c
}

// Check reports whether seq is new: above the window, or inside it and not yet accepted. It changes
// nothing.
func (w *Window) Check(seq uint64) bool {
	if seq > w.highest {
		return true
	}
	if w.highest-seq >= w.size {
		return false
	}
	return *w.word(seq)&bit(seq) == 0
}

// Accept records seq, for which Check has just returned true, as seen, and advances the window to
// it if it is above.
func (w *Window) Accept(seq uint64) {
	if seq > w.highest {
		w.clearUpTo(seq)
		w.highest = seq
	}
	*w.word(seq) |= bit(seq)
}

// Highest returns the highest number accepted, 0 before the first.
func (w *Window) Highest() uint64 { return w.highest }

// Skip records every number up to highest as seen, whatever the window held before. It is for a
// window that continues one whose remaining numbers must not be used again.
func (w *Window) Skip(highest uint64) {
	w.highest = highest
	for i := range uint64(w.words()) {
		*w.word(i * wordBits) = 1<<wordBits - 1
	}
	*w.word(highest) = bit(highest)<<1 - 1
}

// half is half of what 32 bits can count.
const half = 1 << 31

// Restore returns the 64-bit number whose low 32 bits are low and which is nearest to the one
// expected next, that is Highest + 1: the rule of RFC 9000 appendix A.3, for numbers of 64 bits of
// which 32 are sent. Of two equally near it returns the higher. Where the nearest would lie below 0
// or above 2^64-1, it returns the nearest of those that exist.
//
// The result has been neither checked nor authenticated.
func (w *Window) Restore(low uint32) uint64 {
	ahead := uint64(low - uint32(w.highest)) // how far above highest, if it is above
	if ahead == 0 {
		return w.highest
	}
	behind := 1<<32 - ahead // how far below, if it is below
	if behind > w.highest {
		return w.highest + ahead
	}
	if ahead > half+1 || ahead > math.MaxUint64-w.highest {
		return w.highest - behind
	}
	return w.highest + ahead
}

// Prefetch reads the memory that the next Check and Accept are likely to need. It changes nothing.
func (w *Window) Prefetch() byte { return byte(*w.word(w.highest)) }

// clearUpTo clears the words after highest's, up to and including seq's; all of them if that is
// once round the ring.
func (w *Window) clearUpTo(seq uint64) {
	words := min(seq/wordBits-w.highest/wordBits, uint64(w.words()))
	for i := range words {
		*w.word(seq - i*wordBits) = 0
	}
}

// words returns the length of the ring.
func (w *Window) words() int { return max(len(w.large), smallWords) }

// word returns the word of the ring that holds seq's bit.
func (w *Window) word(seq uint64) *uint64 {
	if w.large != nil {
		return &w.large[seq/wordBits&uint64(len(w.large)-1)]
	}
	return &w.small[seq/wordBits%smallWords]
}

func bit(seq uint64) uint64 { return 1 << (seq % wordBits) }
