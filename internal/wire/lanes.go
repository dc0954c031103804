package wire

import "encoding/binary"

// HelloLanes is the value of HELLO's lanes field. Without the field it is zero.
//
//	offset size
//	     0    4  generation of the lanes that the client holds, 0 if it holds none
//	     4    1  delay: how long the client's acknowledgements wait at most, in milliseconds, from 1
//	     5       first credits in bytes, 4 each: of lane 0 first, 0 to 16 of them
type HelloLanes struct {
	Generation uint32
	Delay      uint8 // milliseconds
	Stated     uint8 // how many credits there are
	Credits    [MaxLanes]uint32
}

// WelcomeLanes is the value of WELCOME's lanes field. Without the field it is zero.
//
//	offset size
//	     0    4  generation, never 0
//	     4    1  delay: how long the server's acknowledgements wait at most, in milliseconds, from 1
//	     5    4  rate: bytes a second that the client may send, never 0
//	     9       lanes, 14 bytes each: lane 0 first, 1 to 16 of them
type WelcomeLanes struct {
	Generation uint32
	Delay      uint8 // milliseconds
	Number     uint8 // of lanes
	Rate       uint32
	Lanes      [MaxLanes]LaneSpec
}

// LaneSpec is what WELCOME says of a lane. Both ends send on it, so it has what a sender needs, too.
//
//	offset size
//	     0    1  mode, 1 to 5
//	     1    1  priority: 0 goes first
//	     2    1  weight among the lanes of one priority, from 1
//	     3    1  flags in the high 4 bits: 1 input, 2 insure, 4 receipts; parity in the low 4, 0 to 4
//	     4    3  largest message in bytes, from 1
//	     7    3  first credit in bytes of the client's messages, in modes 3 and 4
//	    10    4  largest age in milliseconds, 0 if there is none
type LaneSpec struct {
	Mode       uint8
	Priority   uint8
	Weight     uint8
	Flags      uint8 // LaneInput and so on
	Parity     uint8
	MaxMessage uint32
	Credit     uint32
	MaxAge     uint32 // milliseconds
}

// Flags of a lane.
const (
	LaneInput    = 1 << 0 // its messages count as the player's input
	LaneInsure   = 1 << 1 // short reliable messages are repeated while there is loss
	LaneReceipts = 1 << 2 // a sender learns of each message what became of it
	laneFlags    = LaneInput | LaneInsure | LaneReceipts
)

// Modes that a LaneSpec's other values depend on; package lanes names all five.
const (
	modeSequenced = 2
	modeOrdered   = 4
	modeLatest    = 5
)

const (
	laneSpecLen     = 14
	maxHelloLanes   = 5 + 4*MaxLanes
	maxWelcomeLanes = 9 + laneSpecLen*MaxLanes
)

// Present reports whether HELLO has the field.
func (l *HelloLanes) Present() bool { return l.Delay != 0 }

// Present reports whether WELCOME has the field.
func (l *WelcomeLanes) Present() bool { return l.Delay != 0 }

// helloLanes reads the field's value.
func (c *parser) helloLanes(value []byte) (l HelloLanes) {
	v := newParser(value)
	l.Generation, l.Delay = v.Uint32(), v.Uint8()
	v.Require(l.Delay > 0 && len(v.Left()) <= 4*MaxLanes)
	for !v.Bad() && len(v.Left()) > 0 {
		l.Credits[l.Stated] = v.Uint32()
		l.Stated++
	}
	c.Require(v.Done())
	return l
}

func (l *HelloLanes) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, l.Generation)
	dst = append(dst, l.Delay)
	for _, n := range l.Credits[:l.Stated] {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	return dst
}

// welcomeLanes reads the field's value.
func (c *parser) welcomeLanes(value []byte) (l WelcomeLanes) {
	v := newParser(value)
	l.Generation, l.Delay, l.Rate = v.positive32(), v.Uint8(), v.positive32()
	v.Require(l.Delay > 0 && len(v.Left()) > 0 && len(v.Left()) <= laneSpecLen*MaxLanes)
	for !v.Bad() && len(v.Left()) > 0 {
		l.Lanes[l.Number] = v.laneSpec()
		l.Number++
	}
	c.Require(v.Done())
	return l
}

// AppendTo appends the value of the field.
func (l *WelcomeLanes) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, l.Generation)
	dst = append(dst, l.Delay)
	dst = binary.BigEndian.AppendUint32(dst, l.Rate)
	for i := range l.Lanes[:l.Number] {
		dst = l.Lanes[i].appendTo(dst)
	}
	return dst
}

func (c *parser) laneSpec() LaneSpec {
	l := LaneSpec{Mode: c.Uint8(), Priority: c.Uint8(), Weight: c.Uint8()}
	both := c.Uint8()
	l.Flags, l.Parity = both>>4, both&15
	l.MaxMessage, l.Credit, l.MaxAge = c.uint24(), c.uint24(), c.Uint32()
	c.Require(l.Valid())
	return l
}

func (l *LaneSpec) appendTo(dst []byte) []byte {
	dst = append(dst, l.Mode, l.Priority, l.Weight, l.Flags<<4|l.Parity)
	dst = appendUint24(dst, l.MaxMessage)
	dst = appendUint24(dst, l.Credit)
	return binary.BigEndian.AppendUint32(dst, l.MaxAge)
}

// Valid reports whether the values are in their ranges and go together: what a mode has no use for
// is zero.
func (l *LaneSpec) Valid() bool {
	longest := uint32(MaxMessage)
	switch {
	case l.Mode == modeLatest:
		longest = MaxFragment
	case l.Parity > 0:
		longest = MaxParityFragments * MaxFragment
	}
	switch {
	case l.Mode < 1 || l.Mode > modeLatest || l.Weight == 0 || l.Flags&^uint8(laneFlags) != 0:
		return false
	case l.MaxMessage < 1 || l.MaxMessage > longest:
		return false
	case l.Parity > MaxParity || l.Parity > 0 && l.Mode > modeSequenced:
		return false
	case l.Mode == modeLatest && l.MaxAge != 0:
		return false
	case modeSequenced < l.Mode && l.Mode <= modeOrdered:
		return l.MaxMessage <= l.Credit && l.Credit <= MaxMessage
	}
	return l.Credit == 0
}

func (c *parser) uint24() uint32 {
	high := uint32(c.Uint8())
	return high<<16 | uint32(c.Uint16())
}

func appendUint24(dst []byte, v uint32) []byte { return append(dst, byte(v>>16), byte(v>>8), byte(v)) }
