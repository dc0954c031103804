package wire

import "encoding/binary"

// A cursor reads a body from front to back. Once something is missing or wrong it is bad, stays bad and reads zeros,
// so that a parser lists what it reads and looks at the outcome once.
type cursor struct {
	left []byte
	last fieldType // type of the field read last
	bad  bool
}

// take returns the next n bytes, or nil and turns bad.
func (c *cursor) take(n int) []byte {
	if len(c.left) < n {
		c.left, c.bad = nil, true
		return nil
	}
	b := c.left[:n:n]
	c.left = c.left[n:]
	return b
}

// rest returns all that is left, nil if nothing is; longer than limit turns c bad.
func (c *cursor) rest(limit int) []byte {
	if len(c.left) == 0 {
		return nil
	}
	if len(c.left) > limit {
		c.bad = true
	}
	return c.take(len(c.left))
}

func (c *cursor) fill(dst []byte) { copy(dst, c.take(len(dst))) }

func (c *cursor) uint8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// positive32 and positive64 read numbers that count from 1.
func (c *cursor) positive32() uint32 {
	n := c.uint32()
	c.bad = c.bad || n == 0
	return n
}

func (c *cursor) positive64() uint64 {
	n := c.uint64()
	c.bad = c.bad || n == 0
	return n
}

// fits returns b and turns c bad if b is longer than limit.
func (c *cursor) fits(b []byte, limit int) []byte {
	c.bad = c.bad || len(b) > limit
	return b
}

// done reports whether everything was there, right, and nothing is left over.
func (c *cursor) done() bool { return !c.bad && len(c.left) == 0 }
