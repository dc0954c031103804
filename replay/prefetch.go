package replay

// Prefetch reads the memory that the next Check and Accept are likely to need.
// It changes nothing.
func (w *Window) Prefetch() byte { return byte(*w.word(w.highest)) }
