package wire

import "encoding/binary"

// A fieldType says what a field holds. Fields follow the fixed part of HELLO, WELCOME and RENEWED:
//
//	offset size
//	     0    1  type
//	     1    2  length of the value, at least 1
//	     3       value
//
// Fields stand in strictly ascending order of type, so each comes once at most and the proof comes
// last. A type that a body does not know is skipped. A value that would be empty is left out with
// its field.
type fieldType uint8

// One numbering for all bodies.
const (
	fieldToken    fieldType = 1
	fieldTicket   fieldType = 2
	fieldPlatform fieldType = 3
	fieldBuild    fieldType = 4
	fieldScope    fieldType = 5
	fieldLimits   fieldType = 6
	fieldMetadata fieldType = 7
	fieldLanes    fieldType = 8
	fieldTime     fieldType = 9
	fieldProof    fieldType = 255
)

// field returns the next field. At the end, and once c is bad, ok is false.
func (c *parser) field() (typ fieldType, value []byte, ok bool) {
	if c.Bad() || len(c.Left()) == 0 {
		return 0, nil, false
	}
	typ = fieldType(c.Uint8())
	value = c.Take(int(c.Uint16()))
	c.Require(typ > c.last && len(value) > 0)
	c.last = typ
	return typ, value, !c.Bad()
}

// appendField appends a field, or nothing for an empty value.
func appendField(dst []byte, typ fieldType, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = append(dst, byte(typ))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}
