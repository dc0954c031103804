package replay

import "math"

// half is half of what 32 bits can count.
const half = 1 << 31

// Restore returns the 64-bit number whose low 32 bits are low and which is nearest to the one expected next, that is
// Highest + 1: the rule of RFC 9000 appendix A.3, for numbers of 64 bits of which 32 are sent. Of two equally near it
// is the higher. Where the nearest would lie below 0 or above 2^64-1, it is the nearest of those that exist.
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
