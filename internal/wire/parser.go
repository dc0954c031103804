package wire

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/cursor"
)

// A parser reads a body from front to back, and its fields in their order.
type parser struct {
	cursor.Cursor
	last fieldType // type of the field read last
}

func newParser(body []byte) parser { return parser{Cursor: cursor.New(body)} }

// rest returns everything left, nil if nothing is; more than limit turns c bad.
func (c *parser) rest(limit int) []byte { return c.fits(c.Rest(), limit) }

// fits returns b and turns c bad if b is longer than limit.
func (c *parser) fits(b []byte, limit int) []byte {
	c.Require(len(b) <= limit)
	return b
}

// positive32 and positive64 read numbers that count from 1.
func (c *parser) positive32() uint32 {
	n := c.Uint32()
	c.Require(n != 0)
	return n
}

func (c *parser) positive64() uint64 {
	n := c.Uint64()
	c.Require(n != 0)
	return n
}

// time returns the Unix milliseconds in b and turns c bad unless b has 8 bytes.
func (c *parser) time(b []byte) int64 {
	if len(b) != 8 {
		c.Require(false)
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// text returns b and turns c bad unless b is short UTF-8 without control characters.
func (c *parser) text(b []byte) []byte {
	if !IsText(b) {
		c.Require(false)
		return nil
	}
	return b
}

// IsText reports whether b is valid as a platform, build or scope: at most MaxText bytes of UTF-8
// without control characters.
func IsText(b []byte) bool {
	return len(b) <= MaxText && utf8.Valid(b) && bytes.IndexFunc(b, unicode.IsControl) < 0
}
