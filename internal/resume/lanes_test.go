package resume

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// sampleLanes are lanes whose state has n bytes.
func sampleLanes(n int) *Lanes {
	l := &Lanes{Delay: 16, Welcome: counting(12, 9+14*3), State: counting(byte(n), n)}
	if n%2 == 1 {
		l.Credits = []uint32{65536, 0, 1 << 20}
	}
	return l
}

// laned returns the entries of a session with lanes whose state has n bytes.
func laned(t testing.TB, n int) []byte {
	t.Helper()
	s := sampleSession(n)
	s.Lanes = sampleLanes(n)
	w := Writer{names: shared{numbers: map[string]uint16{}}}
	if err := w.Add(s); err != nil {
		t.Fatal(err)
	}
	return w.chunk
}

// Lanes go with their session, in as many pieces as it takes, and others have none.
func TestSnapshotLanes(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for _, sizes := range [][]int{{0}, {1, 2, 3}, {100, -1, 5000, -1, 20_000}, slices.Repeat([]int{60_001}, 20), slices.Repeat([]int{997}, 200)} {
		var list []*Session
		for n, size := range sizes {
			s := sampleSession(n)
			s.Name = [16]byte(counting(byte(n), 16))
			if size >= 0 {
				s.Lanes = sampleLanes(size)
			}
			list = append(list, s)
		}
		got, err := Read(bytes.NewReader(writeSnapshot(t, ring, 1, list...)), ring, begin)
		if err != nil || len(got.Sessions) != len(list) {
			t.Fatalf("%v: %v", sizes, err)
		}
		for n, s := range list {
			if !reflect.DeepEqual(got.Sessions[n], written(t, s)) {
				t.Errorf("%v: session %d is another", sizes, n)
			}
		}
		got.LeaveOut()
	}
}

// "All bytes of a session's pieces together are at most 65,536": docs/fleet.md 8.4
func TestLanesTooLong(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	var file bytes.Buffer
	w, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	s := sampleSession(1)
	s.Lanes = sampleLanes(1)
	room := w.RoomForLanes(s.Lanes)
	if whole := room + s.Lanes.size() - len(s.Lanes.State); whole != 65_536 {
		t.Errorf("lanes may have %d bytes", whole)
	}
	s.Lanes.State = make([]byte, room+1)
	if err := w.Add(s); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a byte more: %v", err)
	}
	for name, l := range map[string]*Lanes{
		"no delay":   {Welcome: counting(1, 23)},
		"no welcome": {Delay: 1},
		"17 credits": {Delay: 1, Credits: make([]uint32, 17), Welcome: counting(1, 23)},
	} {
		s := sampleSession(1)
		s.Lanes = l
		if err := w.Add(s); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Lanes.State = s.Lanes.State[1:]
	if err := errors.Join(w.Add(s), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(&file, ring, begin); err != nil || len(got.Sessions) != 1 || got.Sessions[0].Lanes.size() != MaxLanes {
		t.Errorf("%+v, %v", got, err)
	}
}

// Lanes take half of all chunks at most, so that a snapshot always has room for the sessions.
func TestLanesRoom(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	file := &counted{}
	w, err := NewWriter(file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	s := sampleSession(1)
	for s.Lanes = sampleLanes(0); w.RoomForLanes(s.Lanes) > 0; {
		s.Lanes.State = make([]byte, min(60_000, w.RoomForLanes(s.Lanes)))
		if err := w.Add(s); err != nil {
			t.Fatal(err)
		}
		s.Lanes.State = nil
	}
	if chunks := file.n / (maxChunk + 20); chunks < maxChunks*48/100 || w.laned > maxLanesTotal {
		t.Errorf("%d chunks, %d bytes of lanes", chunks, w.laned)
	}
	if s.Lanes.State = make([]byte, 2000); !errors.Is(w.Add(s), ErrSnapshot) {
		t.Error("more lanes than there is room for")
	}
	if s.Lanes = nil; w.Add(s) != nil {
		t.Error("a session without lanes is refused")
	}
}

// counted counts what is written.
type counted struct{ n int }

func (c *counted) Write(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}

// A piece without its session, or out of order, refuses the snapshot.
func TestLanesOutOfOrder(t *testing.T) {
	one, other := sampleSession(0), sampleSession(0)
	other.Name = [16]byte(counting(9, 16))
	session := func(s *Session) func(w *Writer) error { return func(w *Writer) error { return w.Add(s) } }
	content := sampleLanes(100).appendTo(nil)
	piece := func(s *Session, number byte, b []byte) func(w *Writer) error {
		return func(w *Writer) error {
			w.entry = append(append(append(w.entry[:0], s.Name[:]...), number), b...)
			return w.put(entryLanes)
		}
	}
	ban := func(w *Writer) error { return w.Ban(sampleBanned(1)) }
	list := func(fs ...func(w *Writer) error) []func(w *Writer) error { return fs }
	for name, c := range map[string]struct {
		entries []func(w *Writer) error
		good    bool
	}{
		"whole":          {list(session(one), piece(one, 0, content)), true},
		"in two":         {list(session(one), piece(one, 0, content[:9]), piece(one, 1, content[9:]), session(other)), true},
		"no session":     {list(piece(one, 0, content)), false},
		"another's":      {list(session(one), piece(other, 0, content)), false},
		"not the newest": {list(session(one), session(other), piece(one, 0, content)), false},
		"not from 0":     {list(session(one), piece(one, 1, content)), false},
		"twice":          {list(session(one), piece(one, 0, content), piece(one, 0, content)), false},
		"a gap":          {list(session(one), piece(one, 0, content[:9]), piece(one, 2, content[9:])), false},
		"interrupted":    {list(session(one), piece(one, 0, content[:9]), ban, piece(one, 1, content[9:])), false},
		"after an end":   {list(session(one), piece(one, 0, content), ban, piece(one, 0, content)), false},
		"cut off":        {list(session(one), piece(one, 0, content[:9])), false},
		"empty":          {list(session(one), piece(one, 0, nil)), false},
		"no name":        {list(session(one), func(w *Writer) error { w.entry = w.entry[:5]; return w.put(entryLanes) }), false},
		"too long":       {list(session(one), piece(one, 0, content), piece(one, 1, make([]byte, 60_000)), piece(one, 2, make([]byte, 6000))), false},
	} {
		ring := newRing(t, newTestKey(t, 1))
		var file bytes.Buffer
		w, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
		for _, f := range c.entries {
			err = errors.Join(err, f(w))
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&file, ring, begin); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
