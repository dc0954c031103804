package arena

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrMalformed is returned for bytes that are no input, or no snapshot.
var ErrMalformed = errors.New("arena: malformed")

// Input is a player's wish: to go on in a direction.
type Input struct {
	Number uint32 // from 1
	Time   int64  // the client's, in a unit of its own
	X, Y   int16  // share of TopSpeed, -32767 to 32767
}

// ParseInput reads an input and ignores what follows it. The numbers need not make sense.
func ParseInput(b []byte) (Input, error) {
	if len(b) < InputLen {
		return Input{}, ErrMalformed
	}
	return Input{
		Number: binary.BigEndian.Uint32(b),
		Time:   int64(binary.BigEndian.Uint64(b[4:])),
		X:      int16(binary.BigEndian.Uint16(b[12:])),
		Y:      int16(binary.BigEndian.Uint16(b[14:])),
	}, nil
}

// AppendTo appends the input's InputLen bytes to dst.
func (in Input) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, in.Number)
	dst = binary.BigEndian.AppendUint64(dst, uint64(in.Time))
	dst = binary.BigEndian.AppendUint16(dst, uint16(in.X))
	return binary.BigEndian.AppendUint16(dst, uint16(in.Y))
}

// possible reports whether the direction is one that the layout allows.
func (in Input) possible() bool { return in.X != math.MinInt16 && in.Y != math.MinInt16 }

// velocity is the direction in units a second. A diagonal is no way around the speed limit.
func (in Input) velocity() (x, y float64) {
	x, y = float64(in.X)/math.MaxInt16, float64(in.Y)/math.MaxInt16
	scale := TopSpeed / max(1, math.Hypot(x, y))
	return x * scale, y * scale
}
