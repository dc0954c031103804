package arena

import "encoding/binary"

// Snapshot is the part of a tick that a player is shown.
type Snapshot struct {
	Match     uint32 // random: tells the processes apart that a player plays in
	Tick      uint32 // from 1
	Rate      uint16 // ticks a second
	Delivered uint64 // datagrams from you
	Newest    uint32 // number of your newest input, 0 before
	Time      int64  // that input's
	You       Body
	Others    Bodies
}

// Body is where a player is.
type Body struct {
	Player uint32 // number given on joining, never used again
	X, Y   uint16
}

// Bodies are encoded Bodies, one after the other.
type Bodies []byte

// Len is how many there are.
func (b Bodies) Len() int { return len(b) / bodyLen }

// At is the i-th of them.
func (b Bodies) At(i int) Body { return parseBody(b[i*bodyLen:]) }

// ParseSnapshot reads a snapshot. Others is part of b and lives as long as b does.
func ParseSnapshot(b []byte) (Snapshot, error) {
	if len(b) < snapshotLen || (len(b)-snapshotLen)%bodyLen != 0 {
		return Snapshot{}, ErrMalformed
	}
	return Snapshot{
		Match:     binary.BigEndian.Uint32(b),
		Tick:      binary.BigEndian.Uint32(b[4:]),
		Rate:      binary.BigEndian.Uint16(b[8:]),
		Delivered: binary.BigEndian.Uint64(b[10:]),
		Newest:    binary.BigEndian.Uint32(b[18:]),
		Time:      int64(binary.BigEndian.Uint64(b[22:])),
		You:       parseBody(b[30:]),
		Others:    Bodies(b[snapshotLen:]),
	}, nil
}

// AppendTo appends the snapshot to dst.
func (s Snapshot) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, s.Match)
	dst = binary.BigEndian.AppendUint32(dst, s.Tick)
	dst = binary.BigEndian.AppendUint16(dst, s.Rate)
	dst = binary.BigEndian.AppendUint64(dst, s.Delivered)
	dst = binary.BigEndian.AppendUint32(dst, s.Newest)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Time))
	dst = s.You.appendTo(dst)
	return append(dst, s.Others...)
}

func parseBody(b []byte) Body {
	return Body{
		Player: binary.BigEndian.Uint32(b),
		X:      binary.BigEndian.Uint16(b[4:]),
		Y:      binary.BigEndian.Uint16(b[6:]),
	}
}

func (b Body) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, b.Player)
	dst = binary.BigEndian.AppendUint16(dst, b.X)
	return binary.BigEndian.AppendUint16(dst, b.Y)
}
