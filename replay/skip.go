package replay

// Skip counts every number up to highest as seen, whatever was before: for a window that goes on where another one,
// whose numbers nobody may use again, has ended.
func (w *Window) Skip(highest uint64) {
	w.highest = highest
	for i := range uint64(w.words()) {
		*w.word(i * wordBits) = 1<<wordBits - 1
	}
	*w.word(highest) = bit(highest)<<1 - 1
}
