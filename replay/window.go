package replay

// Window is a sliding window of sequence numbers, made by NewWindow. It has one owner; nothing here locks.
//
// The ring has a power of two of words; those between highest's and size numbers below it are valid. A copy of a
// Window whose size is at most 1,984 goes on independently; larger ones share their ring.
//
// In a new window nothing has been seen and Highest is 0. The number 0 is a number like any other, since DTLS counts
// records from 0; a user whose numbers begin at 1 refuses 0 itself.
type Window struct {
	highest uint64             // highest number accepted, 0 before the first
	size    uint64             // numbers that the window spans, highest included
	large   []uint64           // the ring of a window that is too large for small, else nil
	small   [smallWords]uint64 // the ring of any other, beside what else its user keeps
}

// NewWindow returns an empty window that spans size numbers; zero means DefaultSize. It panics if Size refuses size,
// which configuration is to ask first.
func NewWindow(size int) *Window {
	size, err := Size(size)
	if err != nil {
		panic(err)
	}
	words := smallWords
	for words*wordBits < size+wordBits {
		words *= 2
	}
	w := &Window{size: uint64(size)}
	if words > smallWords {
		w.large = make([]uint64, words)
	}
	return w
}

// Check reports whether seq is new: above the window, or inside it and not yet accepted. It changes nothing.
func (w *Window) Check(seq uint64) bool {
	if seq > w.highest {
		return true
	}
	if w.highest-seq >= w.size {
		return false
	}
	return *w.word(seq)&bit(seq) == 0
}

// Accept marks seq, for which Check has just returned true, and moves the window up to it if it is above.
func (w *Window) Accept(seq uint64) {
	if seq > w.highest {
		w.clearUpTo(seq)
		w.highest = seq
	}
	*w.word(seq) |= bit(seq)
}

// Highest returns the highest number accepted, 0 before the first.
func (w *Window) Highest() uint64 { return w.highest }

// clearUpTo empties the words after highest's, up to and including seq's; all of them if that is once round the ring.
func (w *Window) clearUpTo(seq uint64) {
	words := min(seq/wordBits-w.highest/wordBits, uint64(w.words()))
	for i := range words {
		*w.word(seq - i*wordBits) = 0
	}
}

func (w *Window) words() int { return max(len(w.large), smallWords) }

// word returns the word of the ring that has seq's bit.
func (w *Window) word(seq uint64) *uint64 {
	if w.large != nil {
		return &w.large[seq/wordBits&uint64(len(w.large)-1)]
	}
	return &w.small[seq/wordBits%smallWords]
}

func bit(seq uint64) uint64 { return 1 << (seq % wordBits) }
