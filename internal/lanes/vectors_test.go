package lanes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/messages.json anew")

// vectorFile is testdata/messages.json, for programs in other languages.
type vectorFile struct {
	Parity   []parityVector `json:"parity"`
	Acks     []ackVector    `json:"acks"`
	Packing  []packVector   `json:"packing"`
	Exchange exchangeVector `json:"exchange"`
}

type parityVector struct {
	Message   string   `json:"message"`
	Fragments []string `json:"fragments"`
	Parity    []string `json:"parity"`
}

// An ackVector is an ACK of all numbers that have arrived.
type ackVector struct {
	Arrived []uint64 `json:"arrived"`
	DelayUS int64    `json:"delay_us"`
	Body    string   `json:"body"`
}

// A packVector is what an end that has taken some numbers and has messages waiting sends next.
type packVector struct {
	Lanes    string       `json:"lanes"` // of WELCOME
	Arrived  []uint64     `json:"arrived"`
	Messages []messageOut `json:"messages"`
	Bodies   []string     `json:"bodies"`
}

type messageOut struct {
	Lane int     `json:"lane"`
	Key  *uint32 `json:"key,omitempty"`
	Data string  `json:"data"`
}

type exchangeVector struct {
	Hello   string `json:"hello"` // the field lanes
	Welcome string `json:"welcome"`
	Steps   []step `json:"steps"`
}

// A step is something that happens at an end of an exchange. What a datagram that arrives leads to
// follows it.
type step struct {
	AtUS     int64   `json:"at_us"`
	End      string  `json:"end"`
	What     string  `json:"what"` // message, value, sends, loses, leaves out, takes, refuses, delivers, receipt
	Sequence uint64  `json:"sequence,omitempty"`
	Body     string  `json:"body,omitempty"`
	Lane     *int    `json:"lane,omitempty"`
	ID       uint64  `json:"id,omitempty"`
	Key      *uint32 `json:"key,omitempty"`
	Data     *string `json:"data,omitempty"`
	Arrived  *bool   `json:"arrived,omitempty"`
}

// The file is what the code gives; go generate writes it anew.
//
// "A datagram SHOULD have an ACK if one is owed, then SKIP and CREDIT, then messages by priority, and by
// weight among lanes of one priority; of one lane, what was lost comes before what is new. Messages
// SHOULD share datagrams." PROTOCOL.md 16.9
func TestVectors(t *testing.T) {
	file := vectorFile{Parity: parityVectors(), Acks: ackVectors(t), Packing: packVectors(t), Exchange: exchange(t)}
	want, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const name = "testdata/messages.json"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what go generate makes of the code: %v", name, err)
	}
}

// counting is a message of n bytes that count from a first one.
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func parityVectors() (all []parityVector) {
	for i, n := range []int{1089, 2500, 6144} {
		p := NewPayload(counting(byte(i), n))
		v := parityVector{Message: hex.EncodeToString(p.b)}
		m := outgoing{payload: p}
		for i := range wire.Fragments(n) {
			v.Fragments = append(v.Fragments, hex.EncodeToString(m.part(i)))
		}
		count := i + 2
		for i := range count {
			v.Parity = append(v.Parity, hex.EncodeToString(p.parityFrame(count, i)))
		}
		all = append(all, v)
	}
	return all
}

func ackVectors(t *testing.T) (all []ackVector) {
	for _, v := range []ackVector{
		{Arrived: []uint64{1}, DelayUS: 0},
		{Arrived: []uint64{1, 2, 3, 5, 9, 10}, DelayUS: 6400},
		{Arrived: []uint64{1<<32 - 2, 1<<32 - 1, 1 << 32, 1<<32 + 100}, DelayUS: 100},
	} {
		l := newLab(t, Lane{Mode: Reliable})
		l.Resume(v.Arrived[0], 1, l)
		for i, seq := range v.Arrived {
			f := whole(uint64(i+1), "x")
			l.Receive(l.now, seq, 0, f.AppendTo(nil), l)
		}
		l.later(time.Duration(v.DelayUS) * time.Microsecond)
		l.arrivals.owedSince = 0
		b, ok := l.Append(nil, l.now, 1)
		if !ok {
			t.Fatal("no ACK")
		}
		v.Body = hex.EncodeToString(b)
		all = append(all, v)
	}
	return all
}

// vectorLanes is the field lanes of a WELCOME.
func vectorLanes(tab *Table) (w wire.WelcomeLanes, value string) {
	w = wire.WelcomeLanes{Generation: 0x0a0b0c0d, Delay: 16, Rate: 262144}
	tab.Welcome(&w)
	m := wire.Welcome{Features: wire.FeatureLanes, Lanes: w}.AppendTo(nil)
	before := len(wire.Welcome{}.AppendTo(nil)) + 3
	return w, hex.EncodeToString(m[before:])
}

func packVectors(t *testing.T) []packVector {
	key := uint32(7)
	tab := []Lane{
		{Mode: Ordered, Priority: 1, MaxMessage: 4000},
		{Mode: Sequenced, MaxMessage: 8192, Parity: 1},
		{Mode: Latest, Priority: 2},
		{Mode: Reliable, Priority: 1, MaxMessage: 500},
	}
	l := newLab(t, tab...)
	v := packVector{Arrived: []uint64{1, 2, 4, 5}}
	_, v.Lanes = vectorLanes(l.table)
	for i, seq := range v.Arrived {
		f := whole(uint64(i+1), "x")
		l.Receive(l.now, seq, 0, f.AppendTo(nil), l)
	}
	for _, m := range []messageOut{
		{Lane: 0, Data: hex.EncodeToString([]byte("hello"))},
		{Lane: 2, Key: &key, Data: hex.EncodeToString([]byte("open"))},
		{Lane: 1, Data: hex.EncodeToString(counting(0, 1500))},
		{Lane: 3, Data: ""},
		{Lane: 3, Data: hex.EncodeToString([]byte("shot"))},
	} {
		v.Messages = append(v.Messages, m)
		b, err := hex.DecodeString(m.Data)
		if m.Key != nil {
			err = l.SendLatest(m.Lane, *m.Key, b)
		} else if err == nil {
			_, err = l.Send(l.now, m.Lane, b, l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for seq := uint64(1); ; seq++ {
		b, ok := l.Append(nil, l.now, seq)
		if !ok {
			return []packVector{v}
		}
		v.Bodies = append(v.Bodies, hex.EncodeToString(b))
	}
}
