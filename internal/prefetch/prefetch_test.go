package prefetch

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

// "a cipher from the standard library": the memory is all of it, and reading it
// changes nothing and allocates nothing.
func TestMemory(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	m := Memory(aead)
	if len(m) < 256 {
		t.Fatalf("an AES-GCM of %d bytes: its tables are elsewhere", len(m))
	}
	before := string(m)
	if n := testing.AllocsPerRun(100, func() { Touch(m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if string(m) != before {
		t.Error("touching changed the memory")
	}
}

// "It is nil for anything but a pointer."
func TestMemoryOfOthers(t *testing.T) {
	for _, v := range []any{nil, 7, "text", (*int)(nil)} {
		if m := Memory(v); m != nil {
			t.Errorf("Memory(%v) has %d bytes", v, len(m))
		}
	}
}

// One byte of each line, the last line included.
func TestTouch(t *testing.T) {
	b := make([]byte, 3*Line+1)
	b[0], b[Line], b[2*Line], b[3*Line], b[1] = 1, 2, 4, 8, 16
	if sum := Touch(b); sum != 15 {
		t.Errorf("sum %d, want 15", sum)
	}
}
