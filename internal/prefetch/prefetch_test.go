package prefetch

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"
	"unsafe"
)

// Reading the schedule of a cipher from the standard library changes nothing and allocates nothing.
func TestCipher(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	inBlock, inAEAD := ScheduleLines(block), ScheduleLines(aead)
	if inBlock == 0 || inAEAD == 0 || (inBlock-1)*line >= size(block) || (inAEAD-1)*line >= size(aead) {
		t.Fatalf("%d lines of an AES cipher of %d bytes, %d of an AES-GCM of %d", inBlock, size(block), inAEAD, size(aead))
	}
	nonce := make([]byte, 12)
	before := string(aead.Seal(nil, nonce, nil, nil))
	if n := testing.AllocsPerRun(100, func() { Lines(&aead, inAEAD); Lines(&block, inBlock) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if string(aead.Seal(nil, nonce, nil, nil)) != before {
		t.Error("reading changed the cipher")
	}
}

// "It is 0 for anything but a pointer."
func TestSizeOfOthers(t *testing.T) {
	for _, v := range []any{nil, 7, "text", (*int)(nil)} {
		if n := size(v); n != 0 {
			t.Errorf("size(%v) = %d", v, n)
		}
		if n := ScheduleLines(v); n != 0 {
			t.Errorf("ScheduleLines(%v) = %d", v, n)
		}
	}
}

// "as far as they lie within the memory that the pointer v points to": on s390x an AES cipher has
// 72 bytes.
func TestSmallObjects(t *testing.T) {
	// The bytes that Lines would read of three lines, each in a bit of its own.
	var memory [4 * line]byte
	memory[0], memory[line], memory[2*line], memory[3*line] = 1, 2, 4, 8
	at := unsafe.Pointer(&memory)
	for _, test := range []struct {
		object any
		lines  int
		sum    byte
	}{
		{(*[0]byte)(at), 0, 0},
		{(*[1]byte)(at), 1, 1},
		{(*[line]byte)(at), 1, 1},
		{(*[line + 1]byte)(at), 2, 3},
		{(*[72]byte)(at), 2, 3},
		{(*[2 * line]byte)(at), 2, 3},
		{(*[2*line + 1]byte)(at), 3, 7},
		{(*[4 * line]byte)(at), 3, 7},
	} {
		n := ScheduleLines(test.object)
		if sum := Lines(&test.object, n); n != test.lines || sum != test.sum {
			t.Errorf("%T: %d lines with sum %d, want %d and %d", test.object, n, sum, test.lines, test.sum)
		}
	}
}

// One byte of each line; none of nothing.
func TestLines(t *testing.T) {
	var b [3*line + 1]byte
	b[0], b[line], b[2*line], b[3*line] = 1, 2, 4, 8
	var v any = &b
	for n, want := range []byte{0, 1, 3, 7} {
		if sum := Lines(&v, n); sum != want {
			t.Errorf("sum of %d lines is %d, want %d", n, sum, want)
		}
	}
	v = nil
	if sum := Lines(&v, 3); sum != 0 {
		t.Errorf("nil gives %d", sum)
	}
}
