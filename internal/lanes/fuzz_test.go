package lanes

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// FuzzReceive feeds bodies of a hostile peer to an endpoint that sends on every lane, and checks its
// bounds and what must always hold. Each body is preceded by its length, 2 bytes, and how the clock moves.
func FuzzReceive(f *testing.F) {
	var seed []byte
	add := func(b []byte) {
		seed = append(seed, byte(len(b)), byte(len(b)>>8), 3)
		seed = append(seed, b...)
		f.Add(append([]byte{}, seed...))
	}
	ack, _ := wire.AppendAck(nil, []wire.Range{{Low: 5, High: 9}, {Low: 1, High: 2}}, time.Millisecond, wire.MaxBody)
	add(ack)
	for _, fr := range []wire.Frame{
		whole(1, "x"),
		{Type: wire.FrameWhole, Lane: 1, ID: 3, Data: []byte("y")},
		{Type: wire.FrameSkip, Lane: 2, ID: 9, Bytes: 100},
		{Type: wire.FrameCredit, Lane: 0, Bytes: 1 << 40},
		{Type: wire.FrameLatest, Lane: 4, ID: 7, Data: []byte("v")},
		{Type: wire.FrameFragment, Lane: 3, ID: 2, Index: 1, Total: 1100, Data: make([]byte, 550)},
		{Type: wire.FrameFragment, Lane: 1, ID: 5, Index: 1, Total: 1100, Data: make([]byte, 550)},
		{Type: wire.FrameFragment, Lane: 2, ID: 12, Index: 2, Total: 2200, Data: make([]byte, 732)},
	} {
		add(fr.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var lanes []Lane
		for _, m := range []Mode{Ordered, Sequenced, Reliable, Unreliable, Latest} {
			l := Lane{Mode: m, MaxAge: time.Second, Receipts: true, Insure: true, Input: true}
			if m != Latest {
				l.MaxMessage = 4000
			}
			if m == Sequenced {
				l.Parity = 2
			}
			lanes = append(lanes, l)
		}
		l := newLab(t, lanes...)
		random := uint64(0)
		l.random = func() uint64 { random++; return random * 37 }
		for len(in) >= 3 {
			n, step := int(in[0])|int(in[1])<<8, in[2]
			n = min(n, len(in)-3)
			body := in[3 : 3+n]
			in = in[3+n:]
			l.later(time.Duration(step) * time.Millisecond)
			for lane := range 4 {
				_, _ = l.Send(l.now, lane, msg(lane, 1, int(step)*10), l)
			}
			_ = l.SendLatest(4, uint32(step), body)
			l.flush()
			if l.table.Check(body) {
				l.Inputs(body)
				if l.take(body).Revokes() {
					return
				}
			}
			checkInvariants(t, l)
		}
	})
}

// checkInvariants checks the bounds of an endpoint and its books.
func checkInvariants(t *testing.T, l *lab) {
	t.Helper()
	f := &l.flight
	bytes, eliciting, holds := 0, 0, map[*outgoing]uint16{}
	for i := range f.packets.len() {
		p := f.packets.at(i)
		if i > 0 && p.seq <= f.packets.at(i-1).seq || p.seq >= f.next {
			t.Fatal("sequences out of order")
		}
		if p.state == flying && p.eliciting {
			bytes += int(p.size)
			eliciting++
		}
		for n := range uint64(p.refs) {
			if r := f.refs.number(p.firstRef + n); r.m != nil {
				holds[r.m]++
			}
		}
	}
	if bytes != f.bytes || eliciting != f.eliciting {
		t.Fatalf("%d bytes of %d datagrams under way, counted %d of %d", bytes, eliciting, f.bytes, f.eliciting)
	}
	if f.packets.len() > maxOutstanding || f.loss < -1e-9 || f.loss > 1 {
		t.Fatalf("%d datagrams, loss %v", f.packets.len(), f.loss)
	}
	for i := range l.repeats.list.len() {
		holds[l.repeats.list.at(i).m]++
	}
	partial := 0
	for i, s := range l.senders {
		if s == nil {
			continue
		}
		queued, n := 0, 0
		for m := s.head; m != nil; m = m.next {
			queued += len(m.payload.b) + messageCost
			n++
			holds[m]++
			if m.next == nil && m != s.tail || m.next != nil && m.next.prev != m {
				t.Fatal("the list is broken")
			}
		}
		for m := s.resend.head; m != nil; m = m.resendNext {
			holds[m]++
		}
		if queued != int(s.queued) || n != int(s.messages) || queued > l.table.lanes[i].Queue || len(s.keys) > MaxKeys {
			t.Fatalf("lane %d: %d bytes of %d messages, counted %d of %d", i, queued, n, s.queued, s.messages)
		}
		if s.begun > s.credit && l.table.lanes[i].Mode.repeats() {
			t.Fatalf("lane %d: %d bytes begun with a credit of %d", i, s.begun, s.credit)
		}
	}
	for m, n := range holds {
		if m.holds != n {
			t.Fatalf("message %d of lane %d has %d holders, counted %d", m.id, m.lane, n, m.holds)
		}
	}
	for i, d := range l.readers {
		if d == nil {
			continue
		}
		if d.slots.len() > MaxSpan || len(d.keys) > 2*MaxKeys {
			t.Fatalf("lane %d: %d slots, %d keys", i, d.slots.len(), len(d.keys))
		}
		var sum uint64
		for j := range d.slots.len() {
			sum += uint64(d.slots.at(j).total)
		}
		if d.below+sum != d.seen || d.seen > d.granted || d.taken > d.seen {
			t.Fatalf("lane %d: below %d, slots %d, seen %d, taken %d, granted %d", i, d.below, sum, d.seen, d.taken, d.granted)
		}
		if d.loose != nil {
			for _, a := range d.loose.partials {
				if a != nil {
					partial += a.cost
				}
			}
		}
	}
	if partial != l.partial || partial > MaxReassembly {
		t.Fatalf("%d bytes are put together, counted %d", partial, l.partial)
	}
}
