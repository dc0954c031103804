package resume

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/wire"
)

// Lanes are the lanes of a session: what HELLO and WELCOME have agreed on, and what is unfinished.
type Lanes struct {
	Delay   uint8    // milliseconds that the client's acknowledgements wait at most
	Credits []uint32 // first credit of each lane that the client has stated; nil if it has stated none
	Welcome []byte   // value of WELCOME's field lanes
	State   []byte   // as package lanes writes it
}

// MaxLanes is how many bytes of lanes a snapshot has of one session: some hundred short messages, or
// a few snapshots of a game. It is little beside what a session may queue, and 2,000 sessions that
// need all of it fill what the snapshot has for lanes.
const MaxLanes = 64 << 10

const (
	// maxLanesTotal is how many bytes of a snapshot are lanes: half of it.
	maxLanesTotal = maxChunks / 2 * maxChunk

	// pieceHead is what an entry has in front of the bytes of a piece.
	pieceHead = 1 + 2 + 16 + 1

	// minPiece is the least room in a chunk that is worth a piece of longer lanes.
	minPiece = 1 << 10
)

// appendTo appends the lanes of a session, which the pieces of its entries have one after the other:
//
//	size
//	   1  milliseconds that the client's acknowledgements wait at most
//	   1  number of first credits that the client has stated, 0 to 16
//	      first credits (4 each)
//	      value of WELCOME's field lanes: length 2 and value
//	      state of the lanes, up to the end
func (l *Lanes) appendTo(dst []byte) []byte {
	dst = append(dst, l.Delay, uint8(len(l.Credits)))
	for _, n := range l.Credits {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	dst = appendItem(dst, l.Welcome)
	return append(dst, l.State...)
}

// parseLanes reads it. The result keeps b.
func parseLanes(b []byte) (l *Lanes, ok bool) {
	u := newUnpacker(b)
	l = &Lanes{Delay: u.Uint8()}
	n := int(u.Uint8())
	u.Require(n <= wire.MaxLanes)
	for range n {
		l.Credits = append(l.Credits, u.Uint32())
	}
	l.Welcome = u.item()
	if u.Bad() {
		return nil, false
	}
	l.State = u.Left()
	return l, l.coherent()
}

// coherent reports whether a live session can have these values.
func (l *Lanes) coherent() bool {
	return l.Delay > 0 && len(l.Credits) <= wire.MaxLanes && len(l.Welcome) > 0 && l.size() <= MaxLanes
}

// size is how many bytes appendTo appends.
func (l *Lanes) size() int { return 1 + 1 + 4*len(l.Credits) + 2 + len(l.Welcome) + len(l.State) }

// RoomForLanes returns how long the State of the next session's lanes may be, where l has the rest.
// It is negative if there is no room.
func (w *Writer) RoomForLanes(l *Lanes) int {
	return min(MaxLanes, maxLanesTotal-w.laned-minPiece-3*pieceHead) - l.size() + len(l.State)
}

// putLanes writes the lanes of the session that has just been written, in as many pieces as chunks
// have room for:
//
//	offset size
//	     0   16  session name
//	    16    1  number of the piece, from 0
//	    17       bytes
func (w *Writer) putLanes(s *Session) error {
	w.lanes = s.Lanes.appendTo(w.lanes[:0])
	left := w.lanes
	for piece := uint8(0); len(left) > 0; piece++ {
		room := maxChunk - len(w.chunk) - pieceHead
		if room < min(minPiece, len(left)) {
			w.laned += max(room, 0)
			w.flush(false)
			room = maxChunk - pieceHead
		}
		n := min(room, len(left))
		w.entry = append(append(w.entry[:0], s.Name[:]...), piece)
		w.entry = append(w.entry, left[:n]...)
		if err := w.put(entryLanes); err != nil {
			return err
		}
		w.laned += pieceHead + n
		left = left[n:]
	}
	return w.err
}

// pieces are those read so far of the newest session's lanes.
type pieces struct {
	number int
	bytes  []byte
}

// piece reads a piece, which follows its session or the piece before.
func (p *parser) piece(content []byte) bool {
	u := newUnpacker(content)
	var name [16]byte
	u.Fill(name[:])
	number := int(u.Uint8())
	last := len(p.snapshot.Sessions) - 1
	if u.Bad() || last < 0 || p.snapshot.Sessions[last].Name != name || number != p.lanes.number || p.snapshot.Sessions[last].Lanes != nil {
		return false
	}
	p.lanes.number++
	p.lanes.bytes = append(p.lanes.bytes, u.Left()...)
	return len(p.lanes.bytes) <= MaxLanes
}

// endPieces gives the newest session its lanes, once the next entry or the end has come.
func (p *parser) endPieces() bool {
	if p.lanes.number == 0 {
		return true
	}
	l, ok := parseLanes(p.lanes.bytes)
	p.snapshot.Sessions[len(p.snapshot.Sessions)-1].Lanes, p.lanes = l, pieces{}
	return ok
}
