package lanes

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

type parityVector struct {
	Name      string   `json:"name"`
	Message   string   `json:"message"`
	Fragments []string `json:"fragments"`
	Parity    []string `json:"parity"`
}

// An ackVector is an ACK of all numbers that have arrived.
type ackVector struct {
	Name    string   `json:"name"`
	Arrived []uint64 `json:"arrived"`
	DelayUS int64    `json:"delay_us"`
	Body    string   `json:"body"`
}

// A packVector is what an end that has taken some numbers and has messages waiting sends next.
type packVector struct {
	Name     string       `json:"name"`
	Lanes    string       `json:"lanes"` // of WELCOME
	Fields   welcomeLanes `json:"lanes_fields"`
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
	Name          string       `json:"name"`
	Hello         string       `json:"hello"` // the field lanes
	HelloFields   helloLanes   `json:"hello_fields"`
	Welcome       string       `json:"welcome"`
	WelcomeFields welcomeLanes `json:"welcome_fields"`
	Steps         []step       `json:"steps"`
}

// helloLanes is what the field lanes of a HELLO means.
type helloLanes struct {
	Generation   string   `json:"generation"`
	Delay        uint8    `json:"delay"`
	FirstCredits []uint32 `json:"first_credits"`
}

// welcomeLanes is what the field lanes of a WELCOME means.
type welcomeLanes struct {
	Generation string       `json:"generation"`
	Delay      uint8        `json:"delay"`
	Rate       uint32       `json:"rate"`
	Lanes      []laneFields `json:"lanes"`
}

type laneFields struct {
	Mode        uint8    `json:"mode"`
	Priority    uint8    `json:"priority"`
	Weight      uint8    `json:"weight"`
	Flags       []string `json:"flags"`
	Parity      uint8    `json:"parity"`
	Largest     uint32   `json:"largest"`
	FirstCredit uint32   `json:"first_credit"`
	Age         uint32   `json:"age"`
}

func fieldsOf(w *wire.WelcomeLanes) welcomeLanes {
	f := welcomeLanes{Generation: fmt.Sprintf("%08x", w.Generation), Delay: w.Delay, Rate: w.Rate}
	for _, l := range w.Lanes[:w.Number] {
		flags := []string{}
		for i, flag := range []string{"input", "insure", "receipts"} {
			if l.Flags>>i&1 != 0 {
				flags = append(flags, flag)
			}
		}
		f.Lanes = append(f.Lanes, laneFields{l.Mode, l.Priority, l.Weight, flags, l.Parity, l.MaxMessage, l.Credit, l.MaxAge})
	}
	return f
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

// The groups of section 15.6 are what the code gives; go generate writes them anew.
//
// "A datagram SHOULD have an ACK if one is owed, then SKIP and CREDIT, then messages by priority, and by
// weight among lanes of one priority; of one lane, what was lost comes before what is new. Messages
// SHOULD share datagrams." PROTOCOL.md 16.9
func TestVectors(t *testing.T) {
	vectors.Hold(t, "parity", parityVectors())
	vectors.Hold(t, "acknowledgements", ackVectors(t))
	vectors.Hold(t, "packing", packVectors(t))
	vectors.Hold(t, "exchange", []exchangeVector{exchange(t)})
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
		v := parityVector{Name: fmt.Sprintf("message %d", i+1), Message: hex.EncodeToString(p.b)}
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
		v.Name, v.Body = fmt.Sprintf("acknowledgement %d", len(all)+1), hex.EncodeToString(b)
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
	v := packVector{Name: "packing", Arrived: []uint64{1, 2, 4, 5}}
	w, lanes := vectorLanes(l.table)
	v.Lanes, v.Fields = lanes, fieldsOf(&w)
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
