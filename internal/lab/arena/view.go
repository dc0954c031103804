package arena

import (
	"encoding/binary"
	"hash/crc32"
)

// views are the newest views. The server has those of the match; a player those that it has
// received, and whatever view the server knows to have arrived is among them.
type views struct {
	bodies [viewsKept][]byte // by tick
	ticks  [viewsKept]uint32
}

// keep keeps the bodies of a tick.
func (v *views) keep(tick uint32, bodies []byte) {
	i := tick / viewEvery % viewsKept
	v.ticks[i], v.bodies[i] = tick, append(v.bodies[i][:0], bodies...)
}

// at returns the bodies of a tick, nil if they are not kept any more.
func (v *views) at(tick uint32) []byte {
	if i := tick / viewEvery % viewsKept; tick != 0 && v.ticks[i] == tick {
		return v.bodies[i]
	}
	return nil
}

// viewed is which views a player was sent, by the ids of their messages.
type viewed struct {
	ids   [viewsKept]uint64
	ticks [viewsKept]uint32
}

func (v *viewed) note(id uint64, tick uint32) { v.ids[id%viewsKept], v.ticks[id%viewsKept] = id, tick }

// tick returns the tick of the view with an id, 0 if it is not known any more, or id is 0.
func (v *viewed) tick(id uint64) uint32 {
	if v.ids[id%viewsKept] != id {
		return 0
	}
	return v.ticks[id%viewsKept]
}

// appendView appends what of bodies is not at the same place in the base. Without a base that is
// everything.
func appendView(dst []byte, tick, base uint32, bodies, from []byte) []byte {
	if from == nil {
		base = 0
	}
	dst = binary.BigEndian.AppendUint32(dst, tick)
	dst = binary.BigEndian.AppendUint32(dst, base)
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(bodies))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(bodies)/bodyLen))
	for i := 0; i < len(bodies); i += bodyLen {
		if b := bodies[i : i+bodyLen]; i+bodyLen > len(from) || string(from[i:i+bodyLen]) != string(b) {
			dst = append(binary.BigEndian.AppendUint16(dst, uint16(i/bodyLen)), b...)
		}
	}
	return dst
}

// Viewer puts views together. The zero value has seen none.
type Viewer struct{ views views }

// View takes a message of LaneView, and returns the whole view. It is false for one that is
// malformed, or that is not what the server has seen.
func (v *Viewer) View(b []byte) (Bodies, bool) {
	if len(b) < viewLen || (len(b)-viewLen)%(2+bodyLen) != 0 {
		return nil, false
	}
	head, changes := b[StampLen:viewLen], b[viewLen:]
	tick, base, sum := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	bodies := make([]byte, int(binary.BigEndian.Uint16(head[12:]))*bodyLen)
	copy(bodies, v.views.at(base))
	for ; len(changes) > 0; changes = changes[2+bodyLen:] {
		at := int(binary.BigEndian.Uint16(changes)) * bodyLen
		if at >= len(bodies) {
			return nil, false
		}
		copy(bodies[at:], changes[2:2+bodyLen])
	}
	v.views.keep(tick, bodies)
	return bodies, crc32.ChecksumIEEE(bodies) == sum
}
