package cursor

import (
	"bytes"
	"testing"
)

func TestReads(t *testing.T) {
	c := New([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	var filled [2]byte
	if got := c.Uint8(); got != 0x01 {
		t.Errorf("%#x", got)
	}
	if got := c.Uint16(); got != 0x0203 {
		t.Errorf("%#x", got)
	}
	if got := c.Uint32(); got != 0x04050607 {
		t.Errorf("%#x", got)
	}
	if got := c.Uint64(); got != 0x08090a0b0c0d0e0f {
		t.Errorf("%#x", got)
	}
	if c.Fill(filled[:]); filled != [2]byte{16, 17} {
		t.Errorf("%x", filled)
	}
	if got := c.Take(1); !bytes.Equal(got, []byte{18}) || cap(got) != 1 {
		t.Errorf("%x with room for %d", got, cap(got))
	}
	if c.Done() || len(c.Left()) != 2 {
		t.Errorf("%x left", c.Left())
	}
	if got := c.Rest(); !bytes.Equal(got, []byte{19, 20}) || !c.Done() || c.Rest() != nil || c.Bad() {
		t.Errorf("%x", got)
	}
}

// "Once something is missing or wrong it is bad, stays bad and returns zeros."
func TestStaysBad(t *testing.T) {
	for name, spoil := range map[string]func(c *Cursor){
		"missing": func(c *Cursor) { c.Take(4) },
		"wrong":   func(c *Cursor) { c.Require(false) },
	} {
		c := New([]byte{1, 2, 3})
		spoil(&c)
		c.Require(true)
		dst := [1]byte{7}
		c.Fill(dst[:])
		if !c.Bad() || c.Done() || c.Uint8() != 0 || c.Take(1) != nil || c.Take(0) != nil || c.Rest() != nil || dst != [1]byte{7} {
			t.Errorf("%s: goes on", name)
		}
	}
}
