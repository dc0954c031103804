package lanes

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

// all are lanes of each mode, for the vectors that need lanes.
var all = []Lane{
	{Mode: Unreliable, Priority: 1, MaxMessage: 4000},
	{Mode: Sequenced, MaxMessage: 4000, Parity: 1},
	{Mode: Reliable, Priority: 1, MaxMessage: 4000, Credit: 4000},
	{Mode: Ordered, Priority: 1, MaxMessage: 4000, Credit: 8000},
	{Mode: Latest, Priority: 2, MaxMessage: 256},
}

type laneRefused struct {
	Name    string       `json:"name"`
	Lanes   string       `json:"lanes"`
	Fields  welcomeLanes `json:"lanes_fields"`
	Bytes   string       `json:"bytes"`
	Reason  string       `json:"reason"`
	Rule    string       `json:"rule"`
	Instead string       `json:"instead"`
}

// Frames whose form is good, and which the lanes do not have; go generate writes the file anew.
func TestVectorsLanesRefuse(t *testing.T) {
	const (
		none   = "16.3: a lane that does not exist"
		mode   = "16.3: a frame that its lane's mode does not have"
		long   = "16.3: a message longer than its lane's largest"
		parity = "16.3: PARITY to lanes with parity and with an index below it"
	)
	tab := table(t, all...)
	w, value := vectorLanes(tab)
	on := func(lane int, f wire.Frame) wire.Frame { f.Lane = uint8(lane); return f }
	value5 := wire.Frame{Type: wire.FrameLatest, Key: 1, ID: 1, Total: 1, Data: []byte("x")}
	restores := func(index, total int) wire.Frame {
		return wire.Frame{Type: wire.FrameParity, ID: 1, Total: uint32(total), Index: uint16(index), Data: make([]byte, wire.FragmentSize(total))}
	}
	skip, credit := wire.Frame{Type: wire.FrameSkip, ID: 2, Bytes: 1}, wire.Frame{Type: wire.FrameCredit, Bytes: 9000}
	big := wire.Frame{Type: wire.FrameLatest, Key: 1, ID: 1, Total: 257, Data: make([]byte, 257)}
	most := wire.Frame{Type: wire.FrameLatest, Key: 1, ID: 1, Total: 256, Data: make([]byte, 256)}
	var list []laneRefused
	for _, v := range []struct {
		name, rule   string
		bad, instead wire.Frame
	}{
		{"whole on lane 5 of 5", none, on(5, whole(1, "x")), on(3, whole(1, "x"))},
		{"credit on lane 15 of 5", none, on(15, credit), on(3, credit)},
		{"whole on a lane of values", mode, on(4, whole(1, "x")), on(0, whole(1, "x"))},
		{"fragment on a lane of values", mode, on(4, fragment(1, 0, 4000)), on(0, fragment(1, 0, 4000))},
		{"value on an unreliable lane", mode, on(0, value5), on(4, value5)},
		{"value on an ordered lane", mode, on(3, value5), on(4, value5)},
		{"skip on a sequenced lane", mode, on(1, skip), on(2, skip)},
		{"skip on a lane of values", mode, on(4, skip), on(3, skip)},
		{"credit on an unreliable lane", mode, on(0, credit), on(2, credit)},
		{"credit on a lane of values", mode, on(4, credit), on(3, credit)},
		{"parity on a lane without", parity, on(0, restores(0, 4000)), on(1, restores(0, 4000))},
		{"parity on a reliable lane", parity, on(2, restores(0, 4000)), on(1, restores(0, 4000))},
		{"the second of one parity frame", parity, on(1, restores(1, 4000)), on(1, restores(0, 4000))},
		{"message of 4,001", long, on(2, fragment(1, 0, 4001)), on(2, fragment(1, 0, 4000))},
		{"parity of a message of 4,001", long, on(1, restores(0, 4001)), on(1, restores(0, 4000))},
		{"value of 257", long, on(4, big), on(4, most)},
	} {
		bad, good := v.bad.AppendTo(nil), v.instead.AppendTo(nil)
		if tab.Check(bad) || !tab.Check(good) {
			t.Errorf("%s: %v, and what is allowed: %v", v.name, tab.Check(bad), tab.Check(good))
		}
		list = append(list, laneRefused{v.name, value, fieldsOf(&w), hex.EncodeToString(bad), "malformed", v.rule, hex.EncodeToString(good)})
	}
	vectors.Hold(t, "frames that lanes refuse", list)
}

type judgedAck struct {
	Name        string   `json:"name"`
	HighestSent uint64   `json:"highest_sent"`
	Base        uint64   `json:"base"`
	LeftOut     []uint64 `json:"left_out"`
	Body        string   `json:"body"`
	Result      any      `json:"result"` // ranges, lowest and highest of each, or a reason
}

// "So a number above the highest sent is seen for what it is, a lie. An ACK with a range that reaches
// below 1 is malformed." PROTOCOL.md 16.8
//
// "An ACK is a lie if it names a number left out since the base and among the last 16 left out, or one
// above the highest sent." PROTOCOL.md 16.10
func TestVectorsJudgedAcks(t *testing.T) {
	ack := func(highest uint32, numbers ...uint64) []byte {
		b := append([]byte{0x10, byte(highest >> 24), byte(highest >> 16), byte(highest >> 8), byte(highest)}, 0, byte(len(numbers)/2))
		for _, n := range numbers {
			b = wire.AppendVarint(b, n)
		}
		return b
	}
	type ranges = [][2]uint64
	var list []judgedAck
	for _, v := range []struct {
		name    string
		sent    uint64
		leftOut []uint64
		body    []byte
		want    any
	}{
		{"all that was sent", 10, nil, ack(10, 9), ranges{{1, 10}}},
		{"two ranges", 10, nil, ack(10, 1, 2, 3), ranges{{9, 10}, {2, 5}}},
		{"up to number 1", 10, nil, ack(3, 2), ranges{{1, 3}}},
		{"below number 1", 10, nil, ack(3, 3), "malformed"},
		{"a later range below number 1", 10, nil, ack(10, 0, 7, 1), "malformed"},
		{"a later range at number 1", 10, nil, ack(10, 0, 7, 0), ranges{{10, 10}, {1, 1}}},
		{"one above the highest sent", 10, nil, ack(11, 0), "lanes"},
		{"far above the highest sent", 10, nil, ack(0x80000009, 0), "lanes"},
		{"low bits beyond 2^32", 1 << 32, nil, ack(0xffffffff, 1), ranges{{1<<32 - 2, 1<<32 - 1}}},
		{"across 2^32", 1<<32 + 5, nil, ack(5, 10), ranges{{1<<32 - 5, 1<<32 + 5}}},
		{"two equally near: the lower", 1<<32 + 1000, nil, ack(0x800003e8, 0), ranges{{0x800003e8, 0x800003e8}}},
		{"above 2^32", 1<<32 + 5, nil, ack(6, 0), "lanes"},
		{"a number left out", 10, []uint64{4}, ack(5, 2), "lanes"},
		{"around a number left out", 10, []uint64{4}, ack(6, 1, 0, 2), ranges{{5, 6}, {1, 3}}},
	} {
		l := newLab(t, all...)
		out := map[uint64]bool{}
		for _, n := range v.leftOut {
			out[n] = true
		}
		for l.next <= min(v.sent, 10) {
			if out[l.next] {
				random := l.random
				l.random = func() uint64 { return 0 }
				l.LeaveOut(l.next)
				l.random = random
			}
			l.next++
		}
		result := "lanes"
		o := l.Receive(l.now, 1, v.sent, v.body, l)
		switch {
		case o == Accepted:
			r := wire.NewFrames(v.body)
			var f wire.Frame
			r.Next(&f)
			var named ranges
			for _, g := range f.Ack.Ranges(nil, restore(f.Ack.Highest, v.sent)) {
				named = append(named, [2]uint64{g.Low, g.High})
			}
			if fmt.Sprint(named) != fmt.Sprint(v.want) {
				t.Errorf("%s: names %v, want %v", v.name, named, v.want)
			}
			list = append(list, judgedAck{v.name, v.sent, 1, v.leftOut, hex.EncodeToString(v.body), named})
			continue
		case o == Malformed:
			result = "malformed"
		}
		if result != v.want {
			t.Errorf("%s: %v, want %v", v.name, o, v.want)
		}
		list = append(list, judgedAck{v.name, v.sent, 1, v.leftOut, hex.EncodeToString(v.body), result})
	}
	for i := range list {
		if list[i].LeftOut == nil {
			list[i].LeftOut = []uint64{}
		}
	}
	vectors.Hold(t, "judged acknowledgements", list)
}

type takingVector struct {
	Name   string       `json:"name"`
	Lanes  string       `json:"lanes"`
	Fields welcomeLanes `json:"lanes_fields"`
	Steps  []takingStep `json:"steps"`
}

type takingStep struct {
	Body     string         `json:"body"`
	Result   string         `json:"result"` // taken, refused, or a reason
	Delivers []deliveredOut `json:"delivers"`
}

type deliveredOut struct {
	Lane int     `json:"lane"`
	ID   uint64  `json:"id,omitempty"`
	Key  *uint32 `json:"key,omitempty"`
	Data string  `json:"data"`
}

// taker is a receiver whose game takes each message at once, as the vectors say.
type taker struct {
	*Endpoint
	got []deliveredOut
}

func (k *taker) Message(lane int, id uint64, b []byte) {
	k.got = append(k.got, deliveredOut{Lane: lane, ID: id, Data: hex.EncodeToString(b)})
	k.Taken(lane, len(b))
}

func (k *taker) Latest(lane int, key uint32, b []byte) {
	k.got = append(k.got, deliveredOut{Lane: lane, Key: &key, Data: hex.EncodeToString(b)})
}

func (*taker) Receipt(int, uint64, bool) {}

// What each mode makes of frames that are new, repeated, stale, or beyond what an honest peer sends.
//
// "What is acknowledged took effect: an end MUST NOT acknowledge a datagram of which a frame was refused.
// The other frames of such a datagram take effect all the same" PROTOCOL.md 16.5
func TestVectorsTaking(t *testing.T) {
	on := func(lane int, fs ...wire.Frame) []wire.Frame {
		for i := range fs {
			fs[i].Lane = uint8(lane)
		}
		return fs
	}
	latest := func(key uint64, id uint64, s string) wire.Frame {
		return wire.Frame{Type: wire.FrameLatest, Key: uint32(key), ID: id, Total: uint32(len(s)), Data: []byte(s)}
	}
	skip := func(id, bytes uint64) wire.Frame { return wire.Frame{Type: wire.FrameSkip, ID: id, Bytes: bytes} }
	parts := func(id uint64, n int) (fs []wire.Frame) {
		for i := range wire.Fragments(n) {
			fs = append(fs, fragment(id, i, n))
		}
		return fs
	}
	x := strings.Repeat
	type body struct {
		frames []wire.Frame
		result string
	}
	var list []takingVector
	for _, v := range []struct {
		name   string
		bodies []body
	}{
		{"unreliable: in any order, once", []body{
			{on(0, whole(2, "b")), "taken"},
			{on(0, whole(1, "a")), "taken"},
			{on(0, whole(2, "b")), "taken"},
			{on(0, whole(1026, "z")), "taken"},
			{on(0, whole(3, "c")), "taken"},
			{on(0, whole(2, "b")), "refused"},
			{on(0, whole(1100, "y"), whole(76, "late")), "refused"},
		}},
		{"sequenced: nothing older", []body{
			{on(1, whole(2, "b")), "taken"}, {on(1, whole(1, "a")), "refused"}, {on(1, whole(2, "b")), "taken"}, {on(1, whole(3, "c")), "taken"}, {on(1, whole(2, "b")), "taken"},
		}},
		{"a refused frame spoils no other", []body{
			{on(1, whole(2, "b")), "taken"}, {append(on(1, whole(1, "a")), on(3, whole(1, "first"))...), "refused"}, {on(3, whole(1, "first"), whole(2, "second")), "taken"},
		}},
		{"fragments in any order", []body{
			{on(0, parts(1, 4000)[3]), "taken"}, {on(0, parts(1, 4000)[1]), "taken"}, {on(0, parts(1, 4000)[0]), "taken"}, {on(0, parts(1, 4000)[2]), "taken"}, {on(0, parts(1, 4000)[2]), "taken"},
		}},
		{"the fifth message begun: the oldest gives way", []body{
			{on(0, parts(1, 2000)[0]), "taken"},
			{on(0, parts(2, 2000)[0]), "taken"},
			{on(0, parts(3, 2000)[0]), "taken"},
			{on(0, parts(4, 2000)[0]), "taken"},
			{on(0, parts(5, 2000)[0]), "taken"},
			{on(0, parts(1, 2000)[1]), "refused"},
			{on(0, parts(2, 2000)[1]), "taken"},
		}},
		{"ordered: waits for those before", []body{
			{on(3, whole(3, "c")), "taken"}, {on(3, whole(2, "b")), "taken"}, {on(3, whole(1, "a")), "taken"}, {on(3, whole(2, "b")), "taken"},
		}},
		{"reliable: at once", []body{
			{on(2, whole(3, "c")), "taken"}, {on(2, whole(3, "c")), "taken"}, {on(2, whole(1, "a")), "taken"},
		}},
		{"all of the credit", []body{
			{on(3, parts(2, 4000)[0]), "taken"}, {on(3, parts(3, 3000)[0], whole(4, x("x", 1000))), "taken"}, {on(3, whole(5, "x")), "lanes"},
		}},
		{"credit comes back with what is taken", []body{
			{on(2, parts(1, 4000)...), "taken"}, {on(2, parts(2, 4000)...), "taken"}, {on(2, parts(3, 4000)[0]), "taken"}, {on(2, whole(4, "x")), "lanes"},
		}},
		{"the span", []body{
			{on(3, whole(1024, "x")), "taken"}, {on(3, whole(1025, "x")), "lanes"}, {on(3, whole(1, "a")), "taken"}, {on(3, whole(1025, "y")), "taken"},
		}},
		{"a skip", []body{
			{on(3, whole(3, "c"), parts(2, 4000)[0]), "taken"},
			{on(3, skip(3, 4005)), "taken"},
			{on(3, skip(3, 4005)), "taken"},
			{on(3, skip(2, 5)), "taken"},
			{on(3, parts(2, 4000)[1]), "taken"},
			{on(3, whole(4, "d")), "taken"},
		}},
		{"a skip delivers what is complete", []body{
			{on(3, whole(2, "b")), "taken"}, {on(3, skip(4, 3)), "taken"}, {on(3, whole(4, "d")), "taken"},
		}},
		{"a skip of fewer bytes than were begun", []body{{on(3, whole(2, "12345")), "taken"}, {on(3, skip(3, 4)), "malformed"}}},
		{"a skip beyond the credit", []body{{on(3, skip(2, 8001)), "lanes"}, {on(3, skip(2, 8000)), "taken"}}},
		{"another length for the same id", []body{{on(3, parts(2, 3000)[0]), "taken"}, {on(3, parts(2, 2999)[1]), "malformed"}}},
		{"values: the newest of a key", []body{
			{on(4, latest(7, 2, "b"), latest(8, 1, "a")), "taken"},
			{on(4, latest(7, 1, "a")), "taken"},
			{on(4, latest(7, 3, "")), "taken"},
			{on(4, latest(9, 1027, "z")), "taken"},
			{on(4, latest(8, 3, "old")), "taken"},
			{on(4, latest(8, 2, "older")), "refused"},
		}},
	} {
		tab := table(t, all...)
		k := &taker{Endpoint: New(Config{Table: tab, Base: 1, Next: 1, Random: func() uint64 { return 1 }})}
		w, value := vectorLanes(tab)
		made := takingVector{Name: v.name, Lanes: value, Fields: fieldsOf(&w)}
		for i, b := range v.bodies {
			var bytes []byte
			for _, f := range b.frames {
				bytes = f.AppendTo(bytes)
			}
			if !tab.Check(bytes) {
				t.Fatalf("%s: body %d is malformed", v.name, i+1)
			}
			k.got = []deliveredOut{}
			result := map[Outcome]string{Accepted: "taken", Refused: "refused", Malformed: "malformed", Overrun: "lanes", TooFar: "lanes"}[k.Receive(0, uint64(i+1), 0, bytes, k)]
			if result != b.result {
				t.Errorf("%s: body %d is %s, want %s", v.name, i+1, result, b.result)
			}
			made.Steps = append(made.Steps, takingStep{hex.EncodeToString(bytes), result, k.got})
		}
		list = append(list, made)
	}
	vectors.Hold(t, "taking frames", list)
}
