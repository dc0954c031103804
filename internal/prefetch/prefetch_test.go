package prefetch

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

// "of a cipher from the standard library": all of it is within reach, and reading
// it changes nothing and allocates nothing.
func TestCipher(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	size := Size(aead)
	if size < 256 || Size(block) < ScheduleLines*Line {
		t.Fatalf("an AES-GCM of %d bytes, an AES of %d: their tables are elsewhere", size, Size(block))
	}
	nonce := make([]byte, 12)
	before := string(aead.Seal(nil, nonce, nil, nil))
	if n := testing.AllocsPerRun(100, func() { Lines(&aead, size%Line, size/Line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if string(aead.Seal(nil, nonce, nil, nil)) != before {
		t.Error("reading changed the cipher")
	}
}

// "It is 0 for anything but a pointer."
func TestSizeOfOthers(t *testing.T) {
	for _, v := range []any{nil, 7, "text", (*int)(nil)} {
		if n := Size(v); n != 0 {
			t.Errorf("Size(%v) = %d", v, n)
		}
	}
}

// One byte of each line; none of nothing.
func TestLines(t *testing.T) {
	var b [3*Line + 1]byte
	b[1], b[Line+1], b[2*Line+1], b[3*Line] = 1, 2, 4, 8
	var v any = &b
	if sum := Lines(&v, 1, 3); sum != 7 {
		t.Errorf("sum %d, want 7", sum)
	}
	if sum := Lines(&v, Line, 3); sum != 8 {
		t.Errorf("sum %d, want 8", sum)
	}
	v = nil
	if sum := Lines(&v, 0, 3); sum != 0 {
		t.Errorf("nil gives %d", sum)
	}
}
