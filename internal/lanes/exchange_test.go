package lanes

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

// A scene is an exchange that is being recorded.
type scene struct {
	t      *testing.T
	now    time.Duration
	steps  []step
	events []sceneEvent
	ends   map[string]*sceneEnd
}

type sceneEvent struct {
	at time.Duration
	do func()
}

type sceneEnd struct {
	*Endpoint
	s    *scene
	name string
	peer string
	next uint64
}

func (s *scene) at(at time.Duration, do func()) {
	s.events = append(s.events, sceneEvent{at, do})
	slices.SortStableFunc(s.events, func(a, b sceneEvent) int { return cmp.Compare(a.at, b.at) })
}

func (e *sceneEnd) note(st step) {
	st.AtUS, st.End = e.s.now.Microseconds(), e.name
	e.s.steps = append(e.s.steps, st)
}

func text(b []byte) *string {
	s := hex.EncodeToString(b)
	return &s
}

func (e *sceneEnd) Message(lane int, id uint64, b []byte) {
	e.note(step{What: "delivers", Lane: &lane, ID: id, Data: text(b)})
	e.Taken(lane, len(b))
}

func (e *sceneEnd) Latest(lane int, key uint32, b []byte) {
	e.note(step{What: "delivers", Lane: &lane, Key: &key, Data: text(b)})
}

func (e *sceneEnd) Receipt(lane int, id uint64, arrived bool) {
	e.note(step{What: "receipt", Lane: &lane, ID: id, Arrived: &arrived})
}

func (e *sceneEnd) message(lane int, b []byte) {
	id, err := e.Send(e.s.now, lane, b, e)
	if err != nil {
		e.s.t.Fatal(err)
	}
	e.note(step{What: "message", Lane: &lane, ID: id, Data: text(b)})
}

func (e *sceneEnd) value(lane int, key uint32, b []byte) {
	if err := e.SendLatest(lane, key, b); err != nil {
		e.s.t.Fatal(err)
	}
	e.note(step{What: "value", Lane: &lane, Key: &key, Data: text(b)})
}

// fates of datagrams that do not simply arrive after 20 ms: by end and number, the time on the way,
// 0 for one that is lost.
var fates = map[string]map[uint64]time.Duration{
	"server": {2: 0, 7: 50 * time.Millisecond, 11: 0, 13: 0, 14: 0, 15: 0, 16: 0},
	"client": {3: 0},
}

func (e *sceneEnd) flush() {
	e.Tick(e.s.now, e)
	for {
		for e.LeaveOut(e.next) {
			e.note(step{What: "leaves out", Sequence: e.next})
			e.next++
		}
		b, ok := e.Append(nil, e.s.now, e.next)
		if !ok {
			return
		}
		seq := e.next
		e.next++
		way, special := fates[e.name][seq]
		if special && way == 0 {
			e.note(step{What: "loses", Sequence: seq, Body: hex.EncodeToString(b)})
			continue
		}
		e.note(step{What: "sends", Sequence: seq, Body: hex.EncodeToString(b)})
		if !special {
			way = 20 * time.Millisecond
		}
		e.s.at(e.s.now+way, func() { e.s.ends[e.peer].take(seq, b) })
	}
}

func (e *sceneEnd) take(seq uint64, b []byte) {
	at := len(e.s.steps)
	if !e.table.Check(b) {
		e.s.t.Fatalf("malformed: %x", b)
	}
	what := "takes"
	switch o := e.Receive(e.s.now, seq, e.next-1, b, e); o {
	case Accepted:
	case Refused:
		what = "refuses"
	default:
		e.s.t.Fatal(o)
	}
	e.note(step{What: what, Sequence: seq}) // before what it has led to
	last := e.s.steps[len(e.s.steps)-1]
	e.s.steps = slices.Insert(e.s.steps[:len(e.s.steps)-1], at, last)
}

// exchange is 16 ms ticks at both ends of a path of 20 ms each way, on which some datagrams are lost
// and one is late.
func exchange(t *testing.T) exchangeVector {
	tab := table(t,
		Lane{Mode: Sequenced, MaxMessage: 8192, Parity: 1, Receipts: true},
		Lane{Mode: Ordered, Priority: 1, MaxMessage: 2000, Credit: 2000, Receipts: true},
		Lane{Mode: Latest, Priority: 2},
		Lane{Mode: Reliable, Priority: 1, MaxAge: 100 * time.Millisecond, Receipts: true},
	)
	hello := wire.HelloLanes{Delay: 16, Stated: 2, Credits: [wire.MaxLanes]uint32{0, 4000}}
	w, welcome := vectorLanes(tab)
	client, credit, err := TableOf(&hello, &w)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, ends: map[string]*sceneEnd{}}
	draws := 0
	random := func() uint64 { // the number 6 of the server is left out
		if draws++; draws == 6 {
			return 0
		}
		return 1
	}
	server := &sceneEnd{s: s, name: "server", peer: "client", next: 1, Endpoint: New(Config{
		Table: tab, Base: 1, Next: 1, PeerCredit: tab.PeerCredit(&hello), Random: random,
	})}
	player := &sceneEnd{s: s, name: "client", peer: "server", next: 1, Endpoint: New(Config{
		Table: client, Base: 1, Next: 1, PeerCredit: credit, Random: func() uint64 { return 1 },
	})}
	s.ends["server"], s.ends["client"] = server, player
	const tick = 16 * time.Millisecond
	for n := range 40 {
		s.at(time.Duration(n)*tick, func() {
			script(server, n)
			server.flush()
		})
		s.at(time.Duration(n)*tick+5*time.Millisecond, func() {
			if n%4 == 0 && n < 16 {
				player.message(1, fmt.Appendf(nil, "word %d", n/4+1))
			}
			player.flush()
		})
	}
	for len(s.events) > 0 {
		e := s.events[0]
		s.events, s.now = s.events[1:], e.at
		e.do()
	}
	if !server.Idle() || !player.Idle() {
		t.Error("something is unfinished")
	}
	field := wire.Hello{Features: wire.FeatureLanes, Token: []byte("x"), Lanes: hello}.AppendTo(nil)
	return exchangeVector{
		Name: "exchange", Hello: hex.EncodeToString(field[37+4+3:]), Welcome: welcome, Steps: s.steps, WelcomeFields: fieldsOf(&w),
		HelloFields: helloLanes{fmt.Sprintf("%08x", hello.Generation), hello.Delay, hello.Credits[:hello.Stated]},
	}
}

// script is what the server's game sends at a tick.
func script(e *sceneEnd, tick int) {
	switch tick {
	case 0:
		e.message(0, counting(0, 2500)) // one of its fragments is lost
	case 1:
		e.message(1, []byte("first"))
		e.value(2, 7, []byte("open"))
	case 2:
		e.message(0, counting(100, 40)) // late
		e.value(2, 7, []byte("shut"))
	case 3:
		e.message(0, counting(200, 40)) // newer than the late one
		e.message(1, []byte("second"))
	case 5:
		for i := range 3 {
			e.message(1, counting(byte(i), 1800)) // more than the credit
		}
	case 6:
		e.message(3, []byte("given up"))
		e.value(2, 7, nil)
	}
}

// "give the bodies that an end takes to a receiver in their order, and it has to deliver the same"
// PROTOCOL.md 15.6
func TestExchangeReplays(t *testing.T) {
	for _, v := range vectors.Read[exchangeVector](t, "exchange") {
		for _, end := range []string{"server", "client"} {
			replay(t, end, &v)
		}
	}
}

func replay(t *testing.T, end string, v *exchangeVector) {
	hello, err := hex.DecodeString(v.Hello)
	if err != nil {
		t.Fatal(err)
	}
	welcome, err := hex.DecodeString(v.Welcome)
	if err != nil {
		t.Fatal(err)
	}
	tab := tableOfFields(t, hello, welcome, end == "client")
	s := &scene{t: t}
	e := &sceneEnd{s: s, name: end, Endpoint: New(Config{Table: tab, Base: 1, Next: 1, Random: func() uint64 { return 1 }})}
	bodies := map[uint64]string{}
	var want []step
	for _, st := range v.Steps {
		s.now = time.Duration(st.AtUS) * time.Microsecond
		switch {
		case st.End != end && st.What == "sends":
			bodies[st.Sequence] = st.Body
		case st.End == end && st.What == "delivers":
			want = append(want, st)
		case st.End == end && (st.What == "takes" || st.What == "refuses"):
			b, err := hex.DecodeString(bodies[st.Sequence])
			if err != nil {
				t.Fatal(err)
			}
			accepted := e.Receive(s.now, st.Sequence, 1000, b, e) == Accepted
			if accepted != (st.What == "takes") {
				t.Errorf("%s, number %d: accepted %v", end, st.Sequence, accepted)
			}
		}
	}
	if len(want) < 4 || !reflect.DeepEqual(s.steps, want) {
		t.Errorf("%s: %d deliveries, want %d", end, len(s.steps), len(want))
	}
}

// tableOfFields reads the fields lanes of HELLO and WELCOME.
func tableOfFields(t *testing.T, hello, welcome []byte, client bool) *Table {
	h := wire.Hello{NextSend: 1, NextReceive: 1, Token: []byte("x")}.AppendTo(nil)
	h[36] = wire.FeatureLanes
	m, err := wire.ParseHello(append(h, append([]byte{8, 0, byte(len(hello))}, hello...)...))
	if err != nil {
		t.Fatal(err)
	}
	b := wire.Welcome{Session: 1, Epoch: 1, ClientNext: 1, ServerNext: 1, Features: wire.FeatureLanes}.AppendTo(nil)
	w, err := wire.ParseWelcome(append(b, append([]byte{8, 0, byte(len(welcome))}, welcome...)...))
	if err != nil {
		t.Fatal(err)
	}
	if !client {
		m.Lanes.Stated = 0 // the server grants what WELCOME says
	}
	tab, _, err := TableOf(&m.Lanes, &w.Lanes)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}
