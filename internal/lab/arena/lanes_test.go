package arena

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// laneBox is a player's connection with lanes, of whose views some are lost.
type laneBox struct {
	inbox

	viewer    Viewer
	rand      *rand.Rand
	id        uint64
	delivered uint64
	seen      int
	bytes     int
	bad       bool
	scores    map[uint32][]byte
}

func (b *laneBox) HasLanes() bool       { return true }
func (b *laneBox) Delivered(int) uint64 { return b.delivered }

func (b *laneBox) SendLatest(_ int, rank uint32, m []byte) error {
	if b.scores == nil {
		b.scores = make(map[uint32][]byte)
	}
	b.scores[rank] = append(b.scores[rank][:0], m...)
	return nil
}

func (b *laneBox) SendMessage(_ int, m []byte) (uint64, error) {
	b.id++
	if b.bytes += len(m); b.rand.IntN(10) == 0 {
		return b.id, nil // lost
	}
	if _, ok := b.viewer.View(m); !ok {
		b.bad = true
	}
	b.seen++
	if b.rand.IntN(3) == 0 { // acknowledgements come in jumps
		b.delivered = b.id
	}
	return b.id, nil
}

// A view is whole on the other side, whatever was lost before, and costs less than the whole.
func TestViews(t *testing.T) {
	a, r := New(60, 7), rand.New(rand.NewPCG(1, 2))
	boxes := make([]*laneBox, 40)
	for i := range boxes {
		boxes[i] = &laneBox{rand: r}
		p := a.join(boxes[i])
		if i%2 == 0 {
			send(p, Input{Number: 1, X: int16(r.IntN(1000)), Y: 500})
		}
	}
	for tick := range 600 {
		if tick == 300 {
			a.leave(a.players[3])
		}
		a.Step()
	}
	for i, b := range boxes {
		if b.bad || i != 3 && b.seen < 150 {
			t.Errorf("player %d: %d views, malformed: %v", i, b.seen, b.bad)
		}
	}
	if whole, got := 200*(viewLen+40*(2+bodyLen)), boxes[0].bytes; got > whole*2/3 {
		t.Errorf("%d bytes of views, where whole ones have %d", got, whole)
	}
}

// "A player without lanes plays all the same, and its snapshots show the others": and where more
// play than a view shows.
func TestWhoSeesOthersInSnapshots(t *testing.T) {
	a, r := New(60, 7), rand.New(rand.NewPCG(1, 2))
	with, without := &laneBox{rand: r}, &inbox{}
	a.join(with)
	a.join(without)
	others := func(b *inbox) int {
		a.Step()
		return b.snapshot(t).Others.Len()
	}
	if n, m := others(&with.inbox), others(without); n != 0 || m != 1 {
		t.Errorf("others in the snapshot: %d with lanes, %d without, want 0 and 1", n, m)
	}
	for len(a.players) < maxViewed {
		a.join(&inbox{})
	}
	if n := others(&with.inbox); n != 0 {
		t.Errorf("of %d, %d in the snapshot", maxViewed, n)
	}
	a.join(&inbox{})
	seen := with.seen
	for range viewEvery {
		a.Step()
	}
	if n := others(&with.inbox); n != MaxOthers || with.seen != seen {
		t.Errorf("of %d, %d in the snapshot, want %d; %d views", maxViewed+1, n, MaxOthers, with.seen-seen)
	}
}

// The largest view fits its lane.
func TestLargestView(t *testing.T) {
	if n := len(appendView(stamp(nil, time.Now()), 1, 0, make([]byte, maxViewed*bodyLen), nil)); n != MaxView {
		t.Errorf("%d bytes, want %d", n, MaxView)
	}
}

func TestScores(t *testing.T) {
	a, box := New(1, 7), &laneBox{rand: rand.New(rand.NewPCG(1, 2))}
	first, second := a.join(box), a.join(&inbox{})
	second.score = 3
	a.Step()
	if len(box.scores) != Leaders || parseBody(box.scores[0][StampLen:]).Player != second.body.Player ||
		parseBody(box.scores[1][StampLen:]).Player != first.body.Player || len(box.scores[2]) != 0 {
		t.Errorf("%x", box.scores)
	}
	a.leave(second)
	a.Step()
	if parseBody(box.scores[0][StampLen:]).Player != first.body.Player || len(box.scores[1]) != 0 {
		t.Errorf("%x", box.scores)
	}
}

func TestLevel(t *testing.T) {
	if a, b := Level(), New(60, 1).level; len(a) != LevelLen || !bytes.Equal(a, b) {
		t.Error("the level is not the same")
	}
}

// Bytes that are no message are seen to be none.
func TestShort(t *testing.T) {
	if _, ok := Stamp(make([]byte, StampLen-1)); ok {
		t.Error("a stamp")
	}
	for _, n := range []int{newsLen - 1, newsLen + 1} {
		if _, err := ParseNews(make([]byte, n)); err == nil {
			t.Errorf("%d bytes of news", n)
		}
	}
}

func FuzzView(f *testing.F) {
	f.Add(appendView(make([]byte, StampLen), 3, 0, make([]byte, 3*bodyLen), nil))
	f.Add(make([]byte, viewLen+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v Viewer
		if bodies, ok := v.View(b); ok && bodies.Len() > 1<<16 {
			t.Error("too many")
		}
	})
}
