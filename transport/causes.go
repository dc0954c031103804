package transport

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/machine"
)

// causeCounts counts what was refused, by cause.
type causeCounts [machine.NumCauses]atomic.Uint64

// add counts one refusal; one without a cause is not counted.
func (r *causeCounts) add(c machine.Cause) {
	if c != machine.CauseNone && c < machine.NumCauses {
		r[c].Add(1)
	}
}

// snapshot returns the counts that are not zero, by label.
func (r *causeCounts) snapshot() map[string]uint64 {
	m := make(map[string]uint64)
	for c := range machine.NumCauses {
		if n := r[c].Load(); n != 0 {
			m[c.String()] = n
		}
	}
	return m
}
