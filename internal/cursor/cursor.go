// Package cursor reads bytes from front to back.
package cursor

import "encoding/binary"

// Cursor reads what is left of a message. Once something is missing or wrong it is bad, stays bad
// and returns zeros, so that a parser lists what it reads and checks the outcome once. Integers are
// big-endian. What it returns is part of the message.
type Cursor struct {
	left []byte
	bad  bool
}

// New returns a cursor at the front of b.
func New(b []byte) Cursor { return Cursor{left: b} }

// Take returns the next n bytes; if they are not there it returns nil and turns bad.
func (c *Cursor) Take(n int) []byte {
	if c.bad || len(c.left) < n {
		c.bad = true
		return nil
	}
	b := c.left[:n:n]
	c.left = c.left[n:]
	return b
}

// Rest returns all that is left, nil if nothing is.
func (c *Cursor) Rest() []byte {
	if len(c.left) == 0 {
		return nil
	}
	return c.Take(len(c.left))
}

// Require turns c bad unless ok.
func (c *Cursor) Require(ok bool) { c.bad = c.bad || !ok }

// Fill reads as many bytes as dst has.
func (c *Cursor) Fill(dst []byte) { copy(dst, c.Take(len(dst))) }

// Uint8 reads a byte.
func (c *Cursor) Uint8() uint8 {
	if b := c.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads 2 bytes.
func (c *Cursor) Uint16() uint16 {
	if b := c.Take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads 4 bytes.
func (c *Cursor) Uint32() uint32 {
	if b := c.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads 8 bytes.
func (c *Cursor) Uint64() uint64 {
	if b := c.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Left returns what is left to read.
func (c *Cursor) Left() []byte { return c.left }

// Bad reports whether something was missing or wrong.
func (c *Cursor) Bad() bool { return c.bad }

// Done reports whether everything was there, right, and nothing is left over.
func (c *Cursor) Done() bool { return !c.bad && len(c.left) == 0 }
