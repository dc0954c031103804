package fleetkey

import (
	"testing"
)

// newTestKey is a key of a test's: id and secret follow from n.
func newTestKey(t testing.TB, n byte) Key {
	t.Helper()
	k, err := New(uint32(n)<<24|1, counting(n, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRing(t testing.TB, keys ...Key) *Ring {
	t.Helper()
	r, err := NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func counting(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}
