package lanes

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Fragments of a message that gave way are refused also once there is room again: those that were
// acknowledged before are gone, so that it must never count as delivered.
//
// "Once a message has given way, its fragments MUST be refused even when there is room again"
// PROTOCOL.md 16.5
func TestEvictedStaysEvicted(t *testing.T) {
	l := newLab(t, Lane{Mode: Unreliable, MaxMessage: 4000})
	for id := range uint64(MaxPartials + 1) {
		if o := l.frame(fragment(id+1, 0, 2000)); o != Accepted {
			t.Fatal(o)
		}
	}
	for id := range uint64(MaxPartials) {
		l.frame(fragment(id+2, 1, 2000))
	}
	if len(l.messages) != MaxPartials || l.partial != 0 {
		t.Fatalf("%d messages, %d bytes", len(l.messages), l.partial)
	}
	if o := l.frame(fragment(1, 1, 2000)); o != Refused {
		t.Error(o)
	}
	if o := l.frame(whole(0x40, "x")); o != Accepted {
		t.Error(o)
	}
}

// A value has no receipt, neither when it has arrived nor when the lanes end.
func TestValuesHaveNoReceipts(t *testing.T) {
	l := newLab(t, Lane{Mode: Latest, Receipts: true})
	for key := range uint32(2) {
		if err := l.SendLatest(0, key, []byte("v")); err != nil {
			t.Fatal(err)
		}
		if s := l.flush()[0].seq; key == 0 {
			l.ack(s)
		}
	}
	if l.Close(l); len(l.receipts) != 0 {
		t.Errorf("%v", l.receipts)
	}
}

// The same holds in the next process.
//
// "Messages of modes 1 and 2 that were not delivered are stale there, and a half of one has given
// way." PROTOCOL.md 16.11
func TestPartialGivesWayToRestart(t *testing.T) {
	l := newLab(t, Lane{Mode: Unreliable, MaxMessage: 4000})
	l.frame(fragment(7, 0, 2000))
	b, ok := l.AppendSnapshot(nil, l.now, 1000, l)
	if !ok {
		t.Fatal("too long")
	}
	e, err := Restore(Config{Table: l.table, Base: 1, Next: 1, Random: l.random}, l.now, b)
	if err != nil {
		t.Fatal(err)
	}
	l.Endpoint = e
	for i, want := range []Outcome{Refused, Refused} {
		if o := l.frame(fragment(7, i, 2000)); o != want {
			t.Errorf("fragment %d: %v", i, o)
		}
	}
	if o := l.frame(fragment(8, 0, 2000)); o != Accepted {
		t.Error(o)
	}
}

// A message of which another copy is under way is not sent again when one is lost.
//
// "a sender MAY repeat a short message of mode 3 or 4 in the next one or two datagrams while the
// other end shows recent loss" PROTOCOL.md 16.9
func TestInsuredCopies(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable, Insure: true})
	l.measure()
	l.flight.loss = 0.05
	l.send("insured")
	l.later(10 * time.Millisecond)
	if !l.wants("insured") {
		t.Fatal("not repeated")
	}
	l.later(10 * time.Millisecond)
	if l.wants("insured") {
		t.Fatal("repeated twice")
	}
	var later []uint64
	for range 3 {
		later = append(later, l.send("later"))
	}
	l.later(90 * time.Millisecond)
	l.ack(later[:2]...) // two and three datagrams after the copies
	if n, _ := l.Lost(); n != 1 {
		t.Fatalf("%d lost", n)
	}
	for _, s := range l.flush() {
		for _, f := range s.frames {
			if string(f.Data) == "insured" {
				t.Error("sent again, with a copy under way")
			}
		}
	}
	l.ack(later...)
	if !l.wants("insured") {
		t.Error("not sent again with both copies lost")
	}
}

// SKIP states the bytes begun up to it, not those of younger messages.
//
// "Its bytes are those of all messages below the id that were begun, in all since the lane began"
// PROTOCOL.md 16.6
func TestSkipStatesItsBytes(t *testing.T) {
	l := newLab(t, Lane{Mode: Ordered, MaxAge: 300 * time.Millisecond, Receipts: true})
	l.send("aaa")
	l.later(100 * time.Millisecond)
	l.send("bb")
	l.later(200 * time.Millisecond)
	var skips []wire.Frame
	for _, s := range l.flush() {
		for _, f := range s.frames {
			if f.Type == wire.FrameSkip {
				skips = append(skips, f)
			}
		}
	}
	if len(skips) != 1 || skips[0].ID != 2 || skips[0].Bytes != 3 {
		t.Errorf("%+v", skips)
	}
	if arrived, ok := l.receipts[1]; !ok || arrived || len(l.receipts) != 1 {
		t.Errorf("%v", l.receipts)
	}
}

// A message as long as the whole first credit begins, whatever was taken before it.
//
// "A receiver MUST send CREDIT when it has grown by a quarter of the first credit, and when the
// largest message might not be begun without it." PROTOCOL.md 16.6
func TestCreditForTheLongest(t *testing.T) {
	w := newWorld(t, 1)
	p := path{latency: 20 * time.Millisecond}
	a, b := w.pair(table(t, Lane{Mode: Ordered, MaxMessage: 4000, Credit: 4000}), p, p)
	got := 0
	b.message = func(_ int, _ uint64, m []byte) { got += len(m) }
	for _, n := range []int{500, 4000, 900, 4000, 1, 4000} {
		if _, err := a.Send(0, 0, make([]byte, n), a); err != nil {
			t.Fatal(err)
		}
	}
	a.flush()
	w.run(10 * time.Second)
	if got != 13401 || !a.Idle() {
		t.Errorf("%d bytes came", got)
	}
}

// A value that was lost is sent under a new id before the peer takes it for stale.
//
// "A value that has waited or was lost MUST leave under a new id before the peer takes its id for
// stale." PROTOCOL.md 16.5
func TestValueIsRenewed(t *testing.T) {
	l := newLab(t, Lane{Mode: Latest, Queue: 1 << 20}, Lane{Mode: Reliable})
	if err := l.SendLatest(0, 1, []byte("v")); err != nil {
		t.Fatal(err)
	}
	first := l.flush()[0].seq
	for range MaxStale {
		if err := l.SendLatest(0, 2, []byte("w")); err != nil {
			t.Fatal(err)
		}
	}
	sent := l.flush()
	l.later(100 * time.Millisecond)
	for range 3 {
		if _, err := l.Send(l.now, 1, nil, l); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, l.flush()...)
	}
	var acks []uint64
	for _, s := range sent {
		if s.seq != first {
			acks = append(acks, s.seq)
		}
	}
	l.later(100 * time.Millisecond)
	l.ack(acks...)
	for _, s := range l.flush() {
		for _, f := range s.frames {
			if f.Type == wire.FrameLatest && f.Key == 1 {
				if f.ID <= MaxStale {
					t.Errorf("sent again under id %d", f.ID)
				}
				return
			}
		}
	}
	t.Error("not sent again")
}

// With the window full of bulk a message of higher priority leaves, and no bulk with it.
//
// "A message SHOULD NOT wait for the rate that lanes behind it have used up." PROTOCOL.md 16.9
func TestUrgentPassesTheBulk(t *testing.T) {
	l := newLab(t, Lane{Mode: Ordered}, Lane{Mode: Ordered, Priority: 1, MaxMessage: 60_000})
	if _, err := l.Send(l.now, 1, make([]byte, 60_000), l); err != nil {
		t.Fatal(err)
	}
	if n := len(l.flush()); n < 5 || n > 12 {
		t.Fatalf("%d datagrams", n)
	}
	if _, err := l.Send(l.now, 0, []byte("urgent"), l); err != nil {
		t.Fatal(err)
	}
	out := l.flush()
	if len(out) != 1 || len(out[0].frames) != 1 || string(out[0].frames[0].Data) != "urgent" {
		t.Errorf("%d datagrams", len(out))
	}
}

// No id leaves that is MaxSpan or more above the oldest unfinished one.
//
// "A sender MUST NOT send an id that is 1,024 or more above the oldest which may be unfinished at
// the receiver" PROTOCOL.md 16.6
func TestSpan(t *testing.T) {
	l := newLab(t, Lane{Mode: Reliable, Queue: 1 << 20})
	for range MaxSpan + 100 {
		if _, err := l.Send(l.now, 0, nil, l); err != nil {
			t.Fatal(err)
		}
	}
	highest := uint64(0)
	out := l.flush()
	for _, s := range out {
		for _, f := range s.frames {
			highest = max(highest, f.ID)
		}
	}
	if highest != MaxSpan {
		t.Errorf("id %d", highest)
	}
	l.later(50 * time.Millisecond)
	l.ack(out[0].seq)
	if out = l.flush(); len(out) != 1 || out[0].frames[0].ID != MaxSpan+1 {
		t.Errorf("%d datagrams", len(out))
	}
}
