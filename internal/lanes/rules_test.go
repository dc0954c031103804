package lanes

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// "an end MUST NOT acknowledge a datagram of which a frame was refused. The other frames of such a
// datagram take effect all the same" PROTOCOL.md 16.5
//
// "is dropped `malformed` and ends the taking of its datagram, which MUST NOT be acknowledged either"
// PROTOCOL.md 16.5
func TestRefusedIsNotAcknowledged(t *testing.T) {
	on := func(lane uint8, f wire.Frame) wire.Frame {
		f.Lane = lane
		return f
	}
	l := newLab(t, Lane{Mode: Sequenced}, Lane{Mode: Ordered, MaxMessage: 4000})
	l.frame(whole(7, "new"))
	l.flush()
	reported := func() bool { return l.arrivals.got.has(l.peerSeq) }
	for _, c := range []struct {
		name   string
		frames []wire.Frame
		want   Outcome
	}{
		{"stale snapshot beside an event", []wire.Frame{whole(6, "stale"), on(1, whole(1, "event"))}, Refused},
		{"the event again", []wire.Frame{on(1, whole(1, "event"))}, Accepted},
		{"two lengths of one message", []wire.Frame{on(1, fragment(3, 0, 3000)), on(1, fragment(3, 1, 2999)), on(1, whole(2, "not taken"))}, Malformed},
		{"what was not taken", []wire.Frame{on(1, whole(2, "taken"))}, Accepted},
	} {
		if o := l.frame(c.frames...); o != c.want || reported() != (o == Accepted) {
			t.Errorf("%s: %v, acknowledged %v", c.name, o, reported())
		}
	}
	if got := len(l.messages); got != 3 || l.messages[1] != "event" || l.messages[2] != "taken" {
		t.Errorf("%q", l.messages)
	}
}

// "A malformed body MUST NOT have any effect" PROTOCOL.md 16.3: Check finds what is wrong in its last
// byte, before the first frame is taken.
func TestMalformedAtItsEnd(t *testing.T) {
	tab := table(t, Lane{Mode: Ordered})
	f := whole(1, "x")
	b := f.AppendTo(nil)
	if !tab.Check(b) || tab.Check(append(b, byte(wire.FrameWhole)<<4)) {
		t.Error("Check")
	}
}

// "A receiver MUST take frames in any order, mixture and repetition that these rules allow."
// PROTOCOL.md 16.9
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed)
		p := path{latency: time.Hour}
		a, b := w.pair(table(t, Lane{Mode: Ordered, MaxMessage: 9000, Credit: 1 << 20}, Lane{Mode: Reliable, MaxMessage: 9000, Credit: 1 << 20}), p, p)
		a.pace.window, a.pace.tokens = 1<<20, 1<<20
		sent := [2]int{}
		for lane := range 2 {
			for range 30 {
				n := w.random.IntN(9000)
				sent[lane] += n
				if _, err := a.Send(0, lane, msg(lane, 1, n), a); err == nil {
					continue
				}
				sent[lane] -= n
			}
		}
		var frames []wire.Frame
		for seq := uint64(1); ; seq++ {
			body, ok := a.Append(nil, 0, seq)
			if !ok {
				break
			}
			frames = append(frames, framesOf(body)...)
		}
		frames = append(frames, frames[:len(frames)/2]...)
		w.random.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
		came, last := [2]int{}, uint64(0)
		b.message = func(lane int, id uint64, m []byte) {
			if came[lane] += len(m); lane == 0 && id != last+1 {
				t.Fatalf("message %d after %d", id, last)
			} else if lane == 0 {
				last = id
			}
		}
		for seq := uint64(1); len(frames) > 0; seq++ {
			var body []byte
			for n := 1 + w.random.IntN(3); n > 0 && len(frames) > 0 && len(body)+frames[0].Len() <= wire.MaxBody; n-- {
				body = frames[0].AppendTo(body)
				frames = frames[1:]
			}
			if o := b.Receive(0, seq, 0, body, b); o != Accepted {
				t.Fatal(o)
			}
		}
		if came != sent {
			t.Errorf("%v bytes came of %v", came, sent)
		}
	}
}

// "A lane has at most 1,024 keys; a sender MUST NOT have more, and a removed key counts until its
// removal is acknowledged." PROTOCOL.md 16.5
func TestKeysOfASender(t *testing.T) {
	l := newLab(t, Lane{Mode: Latest, Queue: 1 << 20})
	for key := range uint32(MaxKeys) {
		if err := l.SendLatest(0, key, []byte("v")); err != nil {
			t.Fatal(key, err)
		}
	}
	full := func(want error) {
		t.Helper()
		if err := l.SendLatest(0, MaxKeys, []byte("v")); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	full(ErrFull)
	if err := l.SendLatest(0, 5, nil); err != nil {
		t.Fatal(err)
	}
	full(ErrFull)
	var seqs []uint64
	for range 100 {
		for _, s := range l.flush() {
			seqs = append(seqs, s.seq)
		}
		l.ack(seqs...)
		l.later(10 * time.Millisecond)
	}
	full(nil)
}

// "FRAMES of nothing but an ACK, DATA, PING and the others elicit none, but ACK MUST report them as it
// reports the rest" PROTOCOL.md 16.8
func TestOtherKindsAreReported(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	for range 5 {
		l.peerSeq++
		l.Note(l.now, l.peerSeq)
	}
	l.later(time.Second)
	if len(l.flush()) != 0 {
		t.Fatal("they elicit an ACK")
	}
	l.frame(whole(1, "x"))
	l.later(time.Second)
	out := l.flush()
	if len(out) != 1 || out[0].frames[0].Ack.Highest != 6 || out[0].frames[0].Ack.First != 5 {
		t.Errorf("%+v", out)
	}
}

// "FRAMES below it, or below the base, are refused whole." PROTOCOL.md 16.8
func TestBelowTheMemory(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.Resume(10, l.next, l)
	l.peerSeq = 8
	for i, want := range []Outcome{Refused, Accepted} { // 9 and 10
		if o := l.frame(whole(uint64(i)+1, "x")); o != want {
			t.Errorf("number %d: %v", l.peerSeq, o)
		}
	}
	l.peerSeq = 10 + MaxWindow
	l.frame(whole(3, "x"))
	l.peerSeq = 10
	for i, want := range []Outcome{Refused, Accepted} { // as many below the highest, and one fewer
		if o := l.frame(whole(uint64(i)+4, "x")); o != want {
			t.Errorf("number %d: %v", l.peerSeq, o)
		}
	}
	if len(l.messages) != 3 {
		t.Errorf("%q", l.messages)
	}
}

// "An ACK in it is taken first, and if it is a lie (section 16.10) or malformed, nothing else of the
// datagram has an effect." PROTOCOL.md 16.5
//
// "An ACK with a range that reaches below 1 is malformed." PROTOCOL.md 16.8
func TestAckSpoilsItsDatagram(t *testing.T) {
	for name, c := range map[string]struct {
		ack  wire.Ack
		want Outcome
	}{
		"true":            {wire.Ack{Highest: 5, First: 4}, Accepted},
		"below 1":         {wire.Ack{Highest: 5, First: 5}, Malformed},
		"above the sent":  {wire.Ack{Highest: 6}, Lied},
		"far above":       {wire.Ack{Highest: 1 << 30}, Lied},
		"one left out":    {wire.Ack{Highest: 4, First: 1}, Lied},
		"beside left out": {wire.Ack{Highest: 2, First: 1}, Accepted},
	} {
		l := newLab(t, Lane{Mode: Reliable})
		if c.want == Lied && c.ack.Highest < 5 {
			l.random = func() uint64 { return l.next - 3 } // the number 3
		}
		for l.next <= 5 {
			l.send("x")
		}
		before, _ := l.Pending(0)
		f := whole(1, "event")
		if o := l.frame(wire.Frame{Type: wire.FrameAck, Ack: c.ack}, f); o != c.want {
			t.Errorf("%s: %v, want %v", name, o, c.want)
		}
		after, _ := l.Pending(0)
		taken := c.want == Accepted
		if (len(l.messages) == 1) != taken || l.arrivals.got.has(l.peerSeq) != taken || (after < before) != taken {
			t.Errorf("%s: %q, %d of %d messages are left", name, l.messages, after, before)
		}
	}
}

// "A sender SHOULD leave out numbers at random, about one in 256: it skips the number as section 8.3
// lets it, and remembers the last 16." PROTOCOL.md 16.10
func TestOneIn256IsLeftOut(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable})
	l.random = rand.New(rand.NewPCG(1, 2)).Uint64
	n := 0
	for seq := range uint64(256_000) {
		if l.LeaveOut(seq + 1) {
			n++
		}
	}
	if n < 900 || n > 1100 {
		t.Errorf("%d of 256,000", n)
	}
	if leftOutKept != 16 || maxLies != 3 {
		t.Error("PROTOCOL.md 16.10 has other numbers")
	}
}

// "Until it has measured the path, and after each resumption or change of address, a sender SHOULD have
// at most the bytes of 10 full datagrams under way." PROTOCOL.md 16.9. The last one may begin below
// that.
func TestFirstWindow(t *testing.T) {
	for name, begin := range map[string]func(*lab){
		"new":          func(*lab) {},
		"one priority": func(*lab) {},
		"resumed":      func(l *lab) { l.Resume(1, l.next, l) },
		"moved":        func(l *lab) { l.Moved() },
	} {
		lanes := []Lane{{Mode: Ordered}, {Mode: Ordered, Priority: 1, MaxMessage: 200_000}}
		if name == "one priority" { // then no lane may exceed the window
			lanes[1].Priority = 0
		}
		l := newLab(t, lanes...)
		if name == "resumed" || name == "moved" {
			l.pace.window, l.pace.startup = 1<<20, false // a fast path
		}
		begin(l)
		if _, err := l.Send(l.now, 1, make([]byte, 200_000), l); err != nil {
			t.Fatal(err)
		}
		n := len(l.flush())
		if last := l.flight.bytes / n; l.flight.bytes-last >= 10*maxSize || l.flight.bytes < 10*maxSize {
			t.Errorf("%s: %d bytes in %d datagrams", name, l.flight.bytes, n)
		}
	}
}

// "With FRAMES a client SHOULD keep to nine tenths of both, DATA and the others included" PROTOCOL.md 16.9:
// an endpoint keeps to the numbers that it is given.
func TestKeepsToItsNumbers(t *testing.T) {
	const datagrams, bytes = 230, 50_000
	w := newWorld(t, 5)
	p := path{latency: 10 * time.Millisecond}
	a, b := w.pair(table(t, Lane{Mode: Reliable}, Lane{Mode: Ordered, Priority: 1, MaxMessage: 60_000, Queue: 1 << 20, Credit: 1 << 20}), p, p)
	for _, c := range []struct {
		lane, size int
	}{{0, 3}, {1, 60_000}} {
		a.config.Datagrams, a.config.Ceiling = datagrams, bytes
		a.config.Next, a.config.Base = a.next, b.next
		a.Endpoint = New(a.config)
		b.config.Next, b.config.Base = b.next, a.next
		b.Endpoint = New(b.config)
		sent, length, began := a.out.sent, a.out.bytes, w.now
		a.tick(time.Second/1000, w.now+4*time.Second, func() {
			_, _ = a.Send(w.now, c.lane, make([]byte, c.size), a)
			if w.now-began > time.Second/2 && w.now-began < time.Second/2+time.Millisecond {
				a.Sent(w.now, a.next, 100) // one of another kind
				a.next++
			}
		})
		w.run(w.now + 4*time.Second)
		sent, length = a.out.sent-sent, a.out.bytes-length
		if most := 4*datagrams + 20; sent > most {
			t.Errorf("lane %d: %d datagrams in 4 s, want %d", c.lane, sent, most)
		}
		if most := 4*bytes + 2*10*maxSize; length > most {
			t.Errorf("lane %d: %d bytes in 4 s, want %d", c.lane, length, most)
		}
		if sent < 3*datagrams && length < 3*bytes {
			t.Errorf("lane %d: only %d datagrams and %d bytes", c.lane, sent, length)
		}
	}
}

// "An ACK that is due waits for a datagram and bytes as other frames do, which SHOULD leave beside it"
// PROTOCOL.md 16.9: snapshots ask for more ACKs than the client may send datagrams, alone or with DATA each tick.
func TestAcksTakeAlongWhatWaits(t *testing.T) {
	const tick, end = time.Second / 60, 10 * time.Second
	for _, c := range []struct {
		datagrams int
		data      bool
	}{{54, false}, {27, false}, {108, true}} {
		w := newWorld(t, 1)
		p := path{latency: 10 * time.Millisecond}
		a, b := w.pair(table(t, Lane{Mode: Reliable}, Lane{Mode: Sequenced}), p, p)
		a.config.Datagrams = c.datagrams
		a.Endpoint = New(a.config)
		sent, came := 0, 0
		var slowest time.Duration
		b.message = func(_ int, _ uint64, m []byte) {
			at := time.Duration(binary.BigEndian.Uint64(m))
			came, slowest = came+1, max(slowest, w.now-at)
		}
		b.tick(tick, end, func() {
			for range 4 { // each two of them make an ACK due, and these are to stay apart
				_, _ = b.Send(w.now, 1, make([]byte, 1000), b)
			}
		})
		a.tick(tick, end, func() {
			if c.data {
				a.Sent(w.now, a.next, 100)
				a.next++
			}
			if _, err := a.Send(w.now, 0, binary.BigEndian.AppendUint64(nil, uint64(w.now)), a); err != nil {
				t.Fatalf("%+v: after %v, with %d of %d there: %v", c, w.now, came, sent, err)
			}
			sent++
		})
		w.run(end + time.Second)
		if came != sent || !a.Idle() || slowest > 100*time.Millisecond {
			t.Errorf("%+v: %d of %d came, the slowest after %v", c, came, sent, slowest)
		}
		if most := c.datagrams*int(end/time.Second) + 20; a.out.sent > most {
			t.Errorf("%+v: %d datagrams, want no more than %d", c, a.out.sent, most)
		}
	}
}

// ACKs that keep to the datagrams of a second owe nothing.
func TestAcksOweNothing(t *testing.T) {
	const tick, end = time.Second / 60, 30 * time.Second
	w := newWorld(t, 1)
	p := path{latency: 10 * time.Millisecond}
	a, b := w.pair(table(t, Lane{Mode: Reliable}, Lane{Mode: Sequenced}), p, p)
	a.config.Datagrams = 27
	a.Endpoint = New(a.config)
	b.tick(tick, end, func() { _, _ = b.Send(w.now, 1, make([]byte, 500), b) })
	w.run(end + 100*time.Millisecond)
	came := never
	b.message = func(int, uint64, []byte) { came = w.now - end }
	a.tick(tick, w.now+tick, func() { _, _ = a.Send(w.now, 0, []byte("x"), a) })
	w.run(end + time.Minute)
	if came > 200*time.Millisecond {
		t.Errorf("a message came %v after the last ACK", came)
	}
}
