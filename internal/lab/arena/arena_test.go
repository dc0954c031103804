package arena

import (
	"math"
	"testing"

	"github.com/sallyport/sallyport/transport"
)

// inbox keeps the newest snapshot, as a player would.
type inbox struct {
	raw []byte
	n   int
}

func (i *inbox) Send(b []byte) error {
	i.raw, i.n = append(i.raw[:0], b...), i.n+1
	return nil
}

func (i *inbox) snapshot(t *testing.T) Snapshot {
	t.Helper()
	s, err := ParseSnapshot(i.raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func send(p *player, in Input) { p.receive(in.AppendTo(nil)) }

// "whatever it sends, and however often, it moves as everybody else does"
func TestSpeedLimit(t *testing.T) {
	a := New(60, 7)
	var box inbox
	p := a.join(&box)
	for tick := range 60 {
		for i := range 10 {
			send(p, Input{Number: uint32(tick*10 + i + 1), X: math.MaxInt16, Y: math.MaxInt16})
		}
		a.Step()
	}
	if got := math.Hypot(p.x-Side/2.0, p.y-Side/2.0); math.Abs(got-Side/8.0) > 1 {
		t.Errorf("moved %.1f units in a second, want %.1f", got, Side/8.0)
	}
}

func TestSquareEnds(t *testing.T) {
	a := New(1, 7)
	var box inbox
	p := a.join(&box)
	send(p, Input{Number: 1, X: math.MaxInt16, Y: -math.MaxInt16})
	for range 20 {
		a.Step()
	}
	if you := box.snapshot(t).You; you.X != Side || you.Y != 0 {
		t.Errorf("at %d, %d, want the corner", you.X, you.Y)
	}
}

// "Every delivered datagram is counted, whatever is in it; one that is too short, repeats or precedes the newest input,
// or states an impossible direction moves nobody."
func TestWhatCountsAndWhatSteers(t *testing.T) {
	a := New(60, 7)
	var box inbox
	p := a.join(&box)
	send(p, Input{Number: 5, Time: 50, X: 100})
	steering := p.newest
	for _, b := range [][]byte{
		nil,
		make([]byte, InputLen-1),
		Input{Number: 5, Time: 51, X: 7}.AppendTo(nil),
		Input{Number: 4, Time: 40, X: 7}.AppendTo(nil),
		Input{Number: 0, X: 7}.AppendTo(nil),
		Input{Number: 6, X: math.MinInt16}.AppendTo(nil),
		Input{Number: 6, Y: math.MinInt16}.AppendTo(nil),
	} {
		if p.receive(b); p.newest != steering {
			t.Errorf("%x steers", b)
		}
	}
	a.Step()
	if s := box.snapshot(t); s.Match != 7 || s.Delivered != 8 || s.Newest != 5 || s.Time != 50 {
		t.Errorf("match %d has acknowledged %d datagrams and input %d of time %d, want 7, 8, 5, 50", s.Match, s.Delivered, s.Newest, s.Time)
	}
}

// "as many as fit; when there are more, each tick shows the next ones"
func TestEverybodyIsShownInTurn(t *testing.T) {
	for _, players := range []int{1, 2, MaxOthers, MaxOthers + 1, MaxOthers + 2, 3*MaxOthers + 5} {
		a := New(60, 7)
		boxes := make([]inbox, players)
		for i := range boxes {
			a.join(&boxes[i])
		}
		seen := map[uint32]bool{}
		for range (players + MaxOthers) / MaxOthers {
			a.Step()
			s := boxes[0].snapshot(t)
			if len(boxes[0].raw) > transport.MaxPayload {
				t.Fatalf("%d players: snapshot of %d bytes", players, len(boxes[0].raw))
			}
			for i := range s.Others.Len() {
				seen[s.Others.At(i).Player] = true
			}
		}
		if seen[1] || len(seen) != players-1 {
			t.Errorf("%d players: saw %d others (oneself: %t)", players, len(seen), seen[1])
		}
	}
}

func TestLeave(t *testing.T) {
	a := New(60, 7)
	boxes := make([]inbox, 3)
	first, second, third := a.join(&boxes[0]), a.join(&boxes[1]), a.join(&boxes[2])
	a.leave(first)
	a.leave(third)
	a.Step()
	if boxes[0].n != 0 || boxes[1].n != 1 || boxes[2].n != 0 {
		t.Errorf("snapshots sent: %d, %d, %d, want 0, 1, 0", boxes[0].n, boxes[1].n, boxes[2].n)
	}
	if s := boxes[1].snapshot(t); s.You.Player != second.body.Player || s.Others.Len() != 0 {
		t.Errorf("you are %d among %d others", s.You.Player, s.Others.Len())
	}
}

func TestNoAllocs(t *testing.T) {
	a := New(60, 7)
	boxes := make([]inbox, 200)
	for i := range boxes {
		a.join(&boxes[i])
	}
	datagram := Input{Number: 1, X: 1}.AppendTo(nil)
	for range viewEvery * viewsKept {
		a.Step() // the views that are kept have their memory
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range a.players {
			p.receive(datagram)
		}
		a.Step()
	}); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}

func BenchmarkStep1000(b *testing.B) {
	a := New(60, 7)
	boxes := make([]inbox, 1000)
	for i := range boxes {
		a.join(&boxes[i])
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Step()
	}
}

func FuzzParseInput(f *testing.F) {
	f.Add(Input{Number: 1, Time: 2, X: 3, Y: -4}.AppendTo(nil))
	f.Add(make([]byte, InputLen-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ParseInput(b)
		if err != nil {
			return
		}
		if got := in.AppendTo(nil); string(got) != string(b[:InputLen]) {
			t.Errorf("%x becomes %x", b, got)
		}
		if x, y := in.velocity(); in.possible() && math.Hypot(x, y) > TopSpeed*1.000001 {
			t.Errorf("%x is faster than allowed", b)
		}
	})
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add(Snapshot{Match: 7, Tick: 1, Rate: 60, You: Body{1, 2, 3}, Others: make(Bodies, 2*bodyLen)}.AppendTo(nil))
	f.Add(make([]byte, snapshotLen+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSnapshot(b)
		if err != nil {
			return
		}
		if got := s.AppendTo(nil); string(got) != string(b) {
			t.Errorf("%x becomes %x", b, got)
		}
		for i := range s.Others.Len() {
			s.Others.At(i)
		}
	})
}
