package aging

import (
	"fmt"
	"testing"
)

// "between one and two generations of the newest entries are there."
func TestGenerations(t *testing.T) {
	const generation = 8
	m := New[int](generation)
	for i := range 10 * generation {
		m.Put(fmt.Sprint(i), i)
		if len(m.young) > generation || len(m.old) > generation {
			t.Fatalf("entry %d: generations of %d and %d", i, len(m.young), len(m.old))
		}
		for back := range min(i+1, generation) {
			if v, ok := m.Get(fmt.Sprint(i - back)); !ok || v != i-back {
				t.Fatalf("entry %d is %d, %v after %d more", i-back, v, ok, back)
			}
		}
		if gone := i - 2*generation; gone >= 0 {
			if _, ok := m.Get(fmt.Sprint(gone)); ok {
				t.Fatalf("entry %d is there after %d more", gone, 2*generation)
			}
		}
	}
}

// "Put adds or replaces the entry of key": the newer one counts, whichever generation had the older.
func TestReplace(t *testing.T) {
	m := New[int](2)
	for i, key := range []string{"a", "b", "a", "c", "a"} {
		m.Put(key, i)
		if v, ok := m.Get(key); !ok || v != i {
			t.Errorf("%s is %d, %v, want %d", key, v, ok, i)
		}
	}
}
