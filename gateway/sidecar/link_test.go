package sidecar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// model is the side of a game that follows docs/sidecar.md, as a model.
type model struct {
	run, peer, seen uint32
	there           map[uint32]string   // who plays, by handle
	got             map[uint32][]uint32 // what has come of each, since it joined
	log             []uint32            // what has come in all
}

func newModel(r *rand.Rand) *model { return &model{run: 1 + r.Uint32N(1<<31)} }

// hear takes a datagram and returns what the game answers.
func (m *model) hear(t *testing.T, b []byte) Header {
	h, body, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if h.Run != m.peer {
		m.peer, m.seen, m.there, m.got = h.Run, 0, map[uint32]string{}, map[uint32][]uint32{}
	}
	if h.Peer == m.run && h.Number == m.seen+1 {
		m.seen++
		switch h.Kind {
		case Joined:
			m.there[h.Handle] = string(body)
			m.got[h.Handle] = nil
		case Left:
			delete(m.there, h.Handle)
		case Data:
			n := binary.BigEndian.Uint32(body)
			m.got[h.Handle] = append(m.got[h.Handle], n)
			m.log = append(m.log, n)
		}
	}
	return Header{Kind: Alive, Run: m.run, Peer: m.peer, Number: m.seen}
}

// "JOINED, LEFT, and DATA of the lanes of mode reliable, ordered and latest are numbered by the
// sidecar, from 1, and sent again until the game has them." docs/sidecar.md 4
//
// Whatever is lost, and however often a game begins anew: in the end it knows who plays, and has got what
// no game before has, in order and once.
func TestGameKnowsWhoPlays(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { linkRun(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func linkRun(t *testing.T, r *rand.Rand) {
	l, m, now := newLink(), newModel(r), time.Unix(0, 0)
	loss := r.Float64() * 0.6
	there, handle := map[uint32]string{}, uint32(0)
	sent, reached := map[uint32]uint32{}, map[uint32]uint32{}
	var down [][]byte // to the game
	var up []Header
	round := func(loss float64) {
		now = now.Add(tickEvery)
		b, ends := l.take(now, l.header(Header{Kind: Alive}).AppendTo(nil), []int{HeaderLen})
		at := 0
		for _, end := range ends {
			if r.Float64() >= loss {
				down = append(down, bytes.Clone(b[at:end]))
			}
			at = end
		}
		for _, b := range down {
			if a := m.hear(t, b); r.Float64() >= loss {
				up = append(up, a)
			}
		}
		down = down[:0]
		for _, h := range up {
			if f := l.hear(h); f != accepted && f != stale {
				t.Fatalf("%+v: %d", h, f)
			}
		}
		up = up[:0]
	}
	for range 1500 {
		switch n := r.IntN(100); {
		case n < 20:
			handle++
			there[handle] = fmt.Sprint("player ", handle)
			l.join(&seat{handle: handle, body: []byte(there[handle])})
		case n < 30:
			for h := range there {
				delete(there, h)
				l.left(h, 1)
				break
			}
		case n < 60:
			for h := range there {
				if l.data(Header{Kind: Data, Handle: h}, binary.BigEndian.AppendUint32(nil, sent[h]+1)) {
					sent[h]++
				}
				break
			}
		case n == 99 && r.IntN(4) == 0:
			for h, got := range m.got {
				if len(got) > 0 {
					reached[h] = got[len(got)-1]
				}
			}
			m = newModel(r) // it has restarted
		default:
			round(loss)
		}
	}
	for i := 0; ; i++ {
		if round(0); i > 20 {
			if n, _ := l.waiting(); n == 0 {
				break
			}
		}
		if i > 5000 {
			t.Fatal("the game is never up to date")
		}
	}
	if !maps.Equal(m.there, there) {
		t.Errorf("the game knows %d players, %d play", len(m.there), len(there))
	}
	for h, got := range m.got {
		for i, n := range got {
			if n != got[0]+uint32(i) || n > sent[h] {
				t.Fatalf("player %d: %v of %d", h, got, sent[h])
			}
		}
		if len(got) > 0 && got[len(got)-1] != sent[h] && there[h] != "" {
			t.Errorf("player %d: the last of %d has not come", h, sent[h])
		}
		if len(got) > 0 && got[0] > reached[h]+1 {
			t.Errorf("player %d: begins at %d, and games before have got %d", h, got[0], reached[h])
		}
	}
}

// "A game that confirms nothing until 16,384 datagrams or 32 MiB wait begins anew: the sidecar draws
// another run, and messages of before are lost." docs/sidecar.md 4
func TestGameBehind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	l, m := newLink(), newModel(r)
	l.join(&seat{handle: 1, body: []byte("alice")})
	l.hear(Header{Run: m.run})
	run := l.run.Load()
	for i := range queueCount * 3 {
		l.data(Header{Kind: Data, Handle: 1}, binary.BigEndian.AppendUint32(nil, uint32(i)))
	}
	if _, anew := l.waiting(); anew != 1 {
		t.Fatalf("begun anew %d times, want once", anew)
	}
	if l.run.Load() == run {
		t.Error("the game cannot see that it has missed something")
	}
	l.hear(Header{Run: m.run, Peer: run})
	b, ends := l.take(time.Unix(0, 0), nil, nil)
	m.hear(t, b[:ends[0]])
	if len(ends) != 1 || m.there[1] != "alice" {
		t.Errorf("%d datagrams; %v", len(ends), m.there)
	}
}

// "When 2,147,483,648 numbers are used and the game has confirmed all of them, the sidecar draws another run, too, so
// that numbers do not run out. No numbered message is lost by that or comes twice, and what the game has sent for the
// run before still counts." docs/sidecar.md 4
func TestNumbersDoNotRunOut(t *testing.T) {
	const messages, half = 400, 1 << 31
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, now := rand.New(rand.NewPCG(seed, 4)), time.Unix(0, 0)
			l, m := newLink(), newModel(r)
			exchange := func(loss float64) {
				now = now.Add(resendMax)
				b, ends := l.take(now, nil, nil)
				at := 0
				for _, end := range ends {
					if r.Float64() >= loss {
						if answer := m.hear(t, b[at:end]); r.Float64() >= loss {
							if f := l.hear(answer); f != accepted {
								t.Fatalf("%+v: %d", answer, f)
							}
						}
					}
					at = end
				}
			}
			confirmed := func() {
				for range 10 {
					exchange(0)
				}
				if n, _ := l.waiting(); n != 0 {
					t.Fatalf("%d wait", n)
				}
			}
			l.join(&seat{handle: 1, body: []byte("alice")})
			l.hear(Header{Run: m.run})
			confirmed()
			run, first := l.run.Load(), half-r.Uint32N(messages/2)
			m.seen = first - 1
			l.done.Store(m.seen)
			l.mu.Lock()
			l.next = first
			l.mu.Unlock()
			for i := range uint32(messages) {
				if !l.data(Header{Kind: Data, Handle: 1}, binary.BigEndian.AppendUint32(nil, i)) {
					t.Fatalf("message %d has no game", i)
				}
				exchange(r.Float64() * 0.6)
				if first+i == half {
					confirmed()
				}
				if used := first + i; (l.run.Load() != run) != (used >= half) {
					t.Fatalf("after %d numbers the run is another: %v", used, used < half)
				}
				if f := l.hear(Header{Kind: Kick, Run: m.run, Peer: run}); f != accepted {
					t.Fatalf("of what the game sends for the run before: %d", f)
				}
			}
			confirmed()
			for i, n := range m.log {
				if n != uint32(i) {
					t.Fatalf("message %d is %d", i, n)
				}
			}
			if _, anew := l.waiting(); len(m.log) != messages || anew != 0 || m.there[1] != "alice" {
				t.Errorf("%d messages, the game was behind %d times, and knows %v", len(m.log), anew, m.there)
			}
			if l.hear(Header{Run: m.run + 1}); l.hear(Header{Run: m.run + 1, Peer: run}) != stale {
				t.Error("a process that has begun later speaks for the run before")
			}
		})
	}
}

// "The JOINEDs for everybody who plays, which a game gets that has begun, do not count in this."
// docs/sidecar.md 4
//
// A game that restarts gets to know everybody, however many play, however much is known of each, and
// however much waited for the game before it; and one that then stands still is behind, as any other.
func TestGameBeginsWithMany(t *testing.T) {
	for name, c := range map[string]struct{ players, body, waiting int }{
		"more players than a game may be behind":          {queueCount + 1000, 100, 1},
		"more is known of them than a game may be behind": {queueBytes/maxIdentity + 500, maxIdentity, 1},
		"the game before was almost behind":               {1000, 100, queueCount},
	} {
		t.Run(name, func(t *testing.T) {
			l, now, r, body := newLink(), time.Unix(0, 0), rand.New(rand.NewPCG(1, 3)), make([]byte, c.body)
			begins := func() *model {
				m := newModel(r)
				l.hear(Header{Run: m.run})
				for range c.players + c.waiting + 1 {
					now = now.Add(resendMax)
					b, ends := l.take(now, nil, nil)
					if len(ends) == 0 {
						break
					}
					at, answer := 0, Header{}
					for _, end := range ends {
						answer = m.hear(t, b[at:end])
						at = end
					}
					if f := l.hear(answer); f != accepted {
						t.Fatalf("%+v: %d", answer, f)
					}
				}
				if n, anew := l.waiting(); n != 0 || anew != 0 || len(m.there) != c.players {
					t.Fatalf("%d wait, the game was behind %d times, and knows %d of %d players", n, anew, len(m.there), c.players)
				}
				return m
			}
			for i := range c.players {
				l.join(&seat{handle: uint32(i + 1), body: body})
			}
			begins()
			for i := range c.waiting { // and it confirms none of these
				l.data(Header{Kind: Data, Handle: 1}, binary.BigEndian.AppendUint32(nil, uint32(i)))
			}
			if m := begins(); len(m.got[1]) != c.waiting {
				t.Errorf("the game has %d of %d messages", len(m.got[1]), c.waiting)
			}
			for i := range 3 { // one that confirms nothing, and restarts: what is kept for the next does not grow
				for range queueCount {
					l.data(Header{Kind: Data, Handle: 1}, make([]byte, 4))
					if _, anew := l.waiting(); anew != 0 {
						break
					}
				}
				if n, anew := l.waiting(); n > c.players+queueCount || (anew != 0) != (i > 0) {
					t.Fatalf("after %d restarts %d wait, and the game was behind %d times", i, n, anew)
				}
				l.hear(Header{Run: r.Uint32()})
			}
		})
	}
}

// What is acknowledged without having been sent is a fault, and changes nothing.
func TestAcknowledgeTooMuch(t *testing.T) {
	l := newLink()
	l.hear(Header{Run: 7})
	l.join(&seat{handle: 1})
	run := l.run.Load()
	for _, n := range []uint32{1, 2, 1 << 31, 1<<32 - 1} {
		if f := l.hear(Header{Run: 7, Peer: run, Number: n}); f != tooMuch {
			t.Errorf("%d: %d", n, f)
		}
	}
	l.take(time.Unix(0, 0), nil, nil)
	if f := l.hear(Header{Run: 7, Peer: run, Number: 1}); f != accepted {
		t.Error(f)
	}
	if n, _ := l.waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A flight never has more than a receive buffer holds, but for one datagram that is longer alone.
func TestFlight(t *testing.T) {
	l := newLink()
	l.hear(Header{Run: 7})
	for range 100 {
		l.data(Header{Kind: Data}, make([]byte, 50_000))
	}
	b, ends := l.take(time.Unix(0, 0), nil, nil)
	if len(b) > flightBytes || len(ends) != 2 {
		t.Errorf("%d datagrams of %d bytes", len(ends), len(b))
	}
	if l.some() {
		t.Error("there is more to send at once")
	}
	if _, again := l.take(time.Unix(0, 0).Add(resendAfter-1), nil, nil); len(again) != 0 {
		t.Error("sent again too early")
	}
	if _, again := l.take(time.Unix(0, 0).Add(resendAfter), nil, nil); len(again) != 2 {
		t.Error("not sent again")
	}
}

// At the end what is on its way is sent again at once, and soon after that, however long nothing was confirmed:
// several times within the shortest Silence.
func TestHurry(t *testing.T) {
	l, now := newLink(), time.Unix(0, 0)
	l.hear(Header{Run: 7})
	l.join(&seat{handle: 1})
	for range 20 {
		l.take(now, nil, nil)
		now = now.Add(resendMax)
	}
	l.take(now, nil, nil)
	l.hurry(now)
	copies := 0
	for end := now.Add(minSilence); now.Before(end); now = now.Add(time.Millisecond) {
		_, ends := l.take(now, nil, nil)
		copies += len(ends)
	}
	if copies != 3 {
		t.Errorf("it is sent %d times within %v", copies, minSilence)
	}
	if fate := l.hear(Header{Run: 7, Peer: l.run.Load(), Number: 1}); fate != accepted {
		t.Errorf("its confirmation: %v", fate)
	}
}
