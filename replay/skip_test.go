package replay

import "testing"

// "Skip records every number up to highest as seen": at -1, 0 and +1 of each bound.
func TestSkip(t *testing.T) {
	for _, size := range sizes {
		for _, edge := range edges {
			w := Make(size)
			w.Accept(3)
			w.Skip(edge)
			if w.Highest() != edge {
				t.Fatalf("Highest is %d, want %d", w.Highest(), edge)
			}
			for back := range min(edge, uint64(size)+2*wordBits) + 1 {
				if w.Check(edge - back) {
					t.Fatalf("size %d: %d below %d is new", size, back, edge)
				}
			}
			for ahead := range uint64(2*size + 2*wordBits) {
				seq := edge + 1 + ahead
				if seq < edge {
					break // beyond 2^64-1
				}
				if !w.Check(seq) {
					t.Fatalf("size %d: %d above %d is seen", size, ahead+1, edge)
				}
				if ahead%3 == 0 {
					w.Accept(seq)
				}
			}
		}
	}
}
