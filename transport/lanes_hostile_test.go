package transport

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// frame sends a body of FRAMES that no honest client would.
func (l *laneEnds) frame(frames ...wire.Frame) { l.bytes(bodyOf(frames...)) }

func bodyOf(frames ...wire.Frame) (body []byte) {
	for _, f := range frames {
		body = f.AppendTo(body)
	}
	return body
}

func (l *laneEnds) bytes(body []byte) {
	l.shard.Datagram(l.now, l.addr, l.seal(record.ApplicationData, l.envelope(wire.KindFrames, body)))
}

// acks acknowledges sequences of the server's.
func (l *laneEnds) acks(low, high uint64) {
	body, _ := wire.AppendAck(nil, []wire.Range{{Low: low, High: high}}, 0, wire.MaxBody)
	l.bytes(body)
}

// modes are lanes of every mode.
var modes = []Lane{
	{Mode: Unreliable, MaxMessage: 5000},
	{Mode: Sequenced, MaxMessage: 5000, Parity: 1},
	{Mode: Reliable, MaxMessage: 5000},
	{Mode: Ordered, MaxMessage: 5000},
	{Mode: Latest},
}

// hostileEnds are laneEnds whose server's audit and counts can be looked at.
func hostileEnds(t *testing.T, h Handler, list ...Lane) (l *laneEnds, lines *sink, p *Player) {
	l = newLaneEnds(t, h, list...)
	lines = &sink{}
	l.shard.server.audit.sink = lines
	l.out.take = nil // it does not heed what the server says
	return l, lines, l.conn().player
}

func whole(lane uint8, id uint64, n int) wire.Frame {
	return wire.Frame{Type: wire.FrameWhole, Lane: lane, ID: id, Total: uint32(n), Data: make([]byte, n)}
}

func fragment(lane uint8, id uint64, index uint16, total uint32) wire.Frame {
	n := wire.FragmentLen(int(total), int(index))
	return wire.Frame{Type: wire.FrameFragment, Lane: lane, ID: id, Index: index, Total: total, Data: make([]byte, n)}
}

// "Malformed frames, lanes that do not exist, frames that their lane's mode does not have: dropped without any effect."
func TestMalformedFrames(t *testing.T) {
	got := 0
	l, lines, p := hostileEnds(t, Handler{
		Message: func(*Player, int, uint64, []byte) { got++ },
		Latest:  func(*Player, int, uint32, []byte) { got++ },
	}, modes...)
	good := bodyOf(whole(2, 1, 5))
	plainAck, _ := wire.AppendAck(nil, []wire.Range{{Low: 1, High: 1}}, 0, wire.MaxBody)
	bodies := map[string][]byte{
		"empty":                        {},
		"an unknown type":              {0xf0, 1},
		"type 0":                       {0},
		"an ACK with a lane":           append([]byte{0x11}, plainAck[1:]...),
		"an ACK cut short":             plainAck[:4],
		"two ACKs":                     slices.Concat(plainAck, plainAck),
		"an ACK that is not first":     slices.Concat(good, plainAck),
		"a lane that does not exist":   bodyOf(whole(5, 1, 5)),
		"the last lane, without one":   bodyOf(whole(15, 1, 5)),
		"id 0":                         bodyOf(whole(2, 0, 5)),
		"a long form of a number":      {0x22, 0x40, 1, 0},
		"a message that is cut":        good[:len(good)-1],
		"trailing bytes":               append(slices.Clone(good), 0),
		"WHOLE on LATEST's lane":       bodyOf(whole(4, 1, 5)),
		"LATEST on another lane":       bodyOf(wire.Frame{Type: wire.FrameLatest, Lane: 3, ID: 1, Data: []byte("x")}),
		"SKIP on an unreliable lane":   bodyOf(wire.Frame{Type: wire.FrameSkip, Lane: 0, ID: 5}),
		"CREDIT on a sequenced lane":   bodyOf(wire.Frame{Type: wire.FrameCredit, Lane: 1, Bytes: 5}),
		"CREDIT on LATEST's lane":      bodyOf(wire.Frame{Type: wire.FrameCredit, Lane: 4, Bytes: 5}),
		"parity on a lane without":     bodyOf(wire.Frame{Type: wire.FrameParity, Lane: 0, ID: 1, Total: 2000, Data: make([]byte, 1000)}),
		"parity beyond the lane's":     bodyOf(wire.Frame{Type: wire.FrameParity, Lane: 1, ID: 1, Index: 1, Total: 2000, Data: make([]byte, 1000)}),
		"a message beyond the longest": bodyOf(fragment(2, 1, 0, 5001)),
		"a good message before it":     slices.Concat(good, bodyOf(whole(5, 1, 5))),
	}
	for name, body := range bodies {
		before, accepted := l.shard.Dropped(audit.DropMalformed), p.Stats().Received
		l.bytes(body)
		if n := l.shard.Dropped(audit.DropMalformed) - before; n != 1 {
			t.Errorf("%s: counted %d times as malformed", name, n)
		}
		if p.Stats().Received != accepted+1 {
			t.Errorf("%s: the datagram's number is not used up", name)
		}
	}
	if got != 0 || len(lines.all()) != 0 || p.ended.Load() {
		t.Errorf("%d messages, audit %v, ended %v", got, lines.all(), p.ended.Load())
	}
	// Nothing of them is acknowledged.
	sent := l.out.sent
	l.tick(func() {})
	l.now = l.now.Add(time.Second)
	l.tick(func() {})
	if l.out.sent != sent {
		t.Errorf("%d datagrams answer malformed ones", l.out.sent-sent)
	}
	l.bytes(good)
	l.bytes(bodyOf(wire.Frame{Type: wire.FrameLatest, Lane: 4, ID: 1, Data: []byte("x")}))
	if got != 2 {
		t.Errorf("%d messages after all that, want 2", got)
	}
}

// "What is acknowledged took effect": what is malformed by what came before it is not acknowledged either, nor a body that
// fails before the lanes have seen it.
func TestDroppedFramesAreNotAcknowledged(t *testing.T) {
	l, _, _ := hostileEnds(t, Handler{}, modes...)
	acked := 0
	var malformed []uint64 // numbers
	l.out.take = func(b []byte) {
		rec, _, _ := record.Next(slices.Clone(b))
		_, plaintext, err := l.record.Open(rec)
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := wire.Parse(plaintext); e.Kind == wire.KindFrames {
			acked++
			r := wire.NewFrames(e.Body)
			var f wire.Frame
			for r.Next(&f) {
				var space [wire.MaxAckRanges]wire.Range
				if f.Type != wire.FrameAck {
					continue
				}
				for _, g := range f.Ack.Ranges(space[:0], uint64(f.Ack.Highest)) {
					for _, n := range malformed {
						if g.Low <= n && n <= g.High {
							t.Errorf("the malformed number %d is acknowledged", n)
						}
					}
				}
			}
		}
	}
	for _, bad := range [][]byte{
		bodyOf(whole(15, 1, 5)), // no such lane
		bodyOf(fragment(2, 1, 0, 1089), fragment(2, 1, 1, 1090)),
		bodyOf(fragment(0, 1, 0, 1089), fragment(0, 1, 1, 1090)),
	} {
		l.bytes(bad)
		malformed = append(malformed, l.client.Sequence())
		l.frame(whole(3, uint64(acked+1), 5))
		l.now = l.now.Add(100 * time.Millisecond)
		l.tick(func() {})
	}
	if acked != 3 {
		t.Errorf("%d acknowledgements, want 3", acked)
	}
}

// Fragments that contradict each other, and totals that lie, change nothing of the message.
func TestFragmentsThatContradict(t *testing.T) {
	var got [][]byte
	l, lines, p := hostileEnds(t, Handler{Message: func(_ *Player, _ int, _ uint64, b []byte) { got = append(got, slices.Clone(b)) }}, modes...)
	for lane := range uint8(4) {
		got = nil
		first := fragment(lane, 1, 0, 3000)
		for i := range first.Data {
			first.Data[i] = 7
		}
		l.frame(first)
		for _, total := range []uint32{1089, 2999, 3001, 5000} {
			before := l.shard.Dropped(audit.DropMalformed)
			l.frame(fragment(lane, 1, 1, total))
			if n := l.shard.Dropped(audit.DropMalformed) - before; n != 1 {
				t.Errorf("lane %d: total %d of 3000 counts %d times as malformed", lane, total, n)
			}
		}
		l.frame(fragment(lane, 1, 0, 3000)) // again, with other bytes: the first counts
		l.frame(fragment(lane, 1, 2, 3000))
		l.frame(fragment(lane, 1, 1, 3000))
		if len(got) != 1 || len(got[0]) != 3000 || got[0][0] != 7 {
			t.Errorf("lane %d: %d messages", lane, len(got))
		}
		l.frame(fragment(lane, 1, 0, 2000))
		l.frame(fragment(lane, 1, 1, 2000)) // once more, shorter
		if len(got) != 1 {
			t.Errorf("lane %d: a message came twice", lane)
		}
	}
	if len(lines.all()) != 0 || p.ended.Load() {
		t.Errorf("audit %v, ended %v", lines.all(), p.ended.Load())
	}
}

// "Credit overrun, an id beyond the window, and the third lie revoke the session, audited"; nothing else does.
func TestVerdictsOfLanes(t *testing.T) {
	far := uint64(lanes.MaxSpan)
	for name, c := range map[string]struct {
		cause   string
		attempt func(l *laneEnds)
	}{
		"credit, in one message each": {"lanes credit", func(l *laneEnds) {
			for id := range uint64(15) {
				l.frame(fragment(2, id+1, 0, 5000))
			}
		}},
		"credit, by SKIP": {"lanes credit", func(l *laneEnds) {
			l.frame(wire.Frame{Type: wire.FrameSkip, Lane: 3, ID: 5, Bytes: 1 << 40})
		}},
		"an id beyond the window":       {"lanes span", func(l *laneEnds) { l.frame(whole(2, far+1, 1)) }},
		"an id from the far future":     {"lanes span", func(l *laneEnds) { l.frame(whole(3, 1<<61, 0)) }},
		"beyond the window after some":  {"lanes span", func(l *laneEnds) { l.frame(whole(3, 1, 1), whole(3, 2, 1), whole(3, far+3, 1)) }},
		"the window's last id":          {"", func(l *laneEnds) { l.frame(whole(2, far, 1), whole(3, far, 1)) }},
		"far ids of an unreliable lane": {"", func(l *laneEnds) { l.frame(whole(0, 1<<61, 1), whole(1, 1<<61, 1)) }},
		"a value from the far future": {"", func(l *laneEnds) {
			l.frame(wire.Frame{Type: wire.FrameLatest, Lane: 4, ID: 1 << 61, Data: []byte("x")})
		}},
		"SKIP to the far future": {"", func(l *laneEnds) { l.frame(wire.Frame{Type: wire.FrameSkip, Lane: 3, ID: 1 << 61}) }},
		"a CREDIT of everything": {"", func(l *laneEnds) { l.frame(wire.Frame{Type: wire.FrameCredit, Lane: 3, Bytes: 1<<62 - 1}) }},
		"two lies":               {"", func(l *laneEnds) { l.acks(1000, 1000); l.acks(1001, 1001) }},
		"the same lie, again and again": {"", func(l *laneEnds) {
			for range 9 {
				l.acks(1000, 1000)
			}
		}},
		"three lies": {"lanes lie", func(l *laneEnds) { l.acks(1000, 1000); l.acks(1001, 1001); l.acks(1002, 1002) }},
	} {
		t.Run(name, func(t *testing.T) {
			left := 0
			l, lines, p := hostileEnds(t, Handler{Leave: func(*Player, wire.Reason) { left++ }}, modes...)
			before := l.shard.Dropped(audit.DropLanes)
			c.attempt(l)
			dropped := l.shard.Dropped(audit.DropLanes) - before
			var revoked, noted []audit.Event
			for _, e := range lines.all() {
				switch e.Decision {
				case audit.Revoke:
					revoked = append(revoked, e)
				case audit.Reject:
					noted = append(noted, e)
				}
			}
			if c.cause == "" {
				if left != 0 || p.ended.Load() || len(revoked) != 0 {
					t.Errorf("an end: %+v", lines.all())
				}
				if lied := strings.Contains(name, "lie"); lied != (len(noted) == 2) || lied != (dropped > 0) || lied && noted[0].Cause != "lanes lie" {
					t.Errorf("dropped %d, audit %+v", dropped, noted)
				}
				l.frame(whole(0, 1<<61+1, 1)) // still served
				return
			}
			if left != 1 || len(revoked) != 1 || revoked[0].Cause != c.cause || dropped == 0 || p.messages != nil {
				t.Errorf("left %d, dropped %d, audit %+v", left, dropped, lines.all())
			}
			received := p.Stats().Received
			l.frame(whole(0, 1, 1)) // after the end
			l.acks(2000, 2000)
			if p.Stats().Received != received || left != 1 {
				t.Error("a datagram after the end counts")
			}
		})
	}
}

// "A number left out": acknowledging it is a lie.
func TestLeftOutNumbers(t *testing.T) {
	l, lines, p := hostileEnds(t, Handler{}, modes...)
	lies := 0
	for range 4000 {
		sequence := l.conn().session.Sequence()
		l.now = l.now.Add(time.Second / 60)
		l.shard.server.clock.base = l.now
		l.shard.Out.Hold(true)
		if _, err := p.SendMessage(0, []byte("x")); err != nil {
			if lies != 3 {
				t.Errorf("%v after %d lies", err, lies)
			}
			break
		}
		sent := l.out.sent
		l.shard.Out.Flush()
		n := l.conn().session.Sequence()
		switch leftOut := int(n-sequence) - (l.out.sent - sent); {
		case leftOut == 1: // two in a row would be two lies in one acknowledgement
			lies++
			l.acks(sequence+1, n)
		case leftOut == 0 && n > sequence:
			l.acks(n, n)
		}
	}
	if lies != 3 || !p.ended.Load() {
		t.Errorf("%d lies, ended %v", lies, p.ended.Load())
	}
	var causes []string
	for _, e := range lines.all() {
		causes = append(causes, fmt.Sprint(e.Decision, " ", e.Cause))
	}
	if want := []string{"reject lanes lie", "reject lanes lie", "revoke lanes lie"}; !slices.Equal(causes, want) {
		t.Errorf("audit %q, want %q", causes, want)
	}
}

// "16 lanes full of half messages: bounded memory, no effect on others."
func TestMemoryOfHalfMessages(t *testing.T) {
	floods := 3
	if testing.Short() {
		floods = 1
	}
	for name, c := range map[string]struct {
		lane  Lane
		most  int // bytes, all lanes together
		flood func(l *laneEnds, lane uint8)
	}{
		"fragments, reliable": {Lane{Mode: Reliable, MaxMessage: 16 << 10}, 3 << 20, func(l *laneEnds, lane uint8) {
			for id := range uint64(4) {
				l.frame(fragment(lane, id+1, 0, 16<<10))
			}
		}},
		"fragments, unreliable": {Lane{Mode: Unreliable, MaxMessage: 64 << 10}, 1 << 20, func(l *laneEnds, lane uint8) {
			for id := range uint64(1000) {
				l.frame(fragment(lane, id+1, 0, 64<<10))
			}
		}},
		"fragments, sequenced, with parity": {Lane{Mode: Sequenced, MaxMessage: 32 << 10, Parity: 4}, 1 << 20, func(l *laneEnds, lane uint8) {
			for id := range uint64(1000) {
				l.frame(fragment(lane, id+1, 0, 32<<10))
			}
		}},
		"held back, empty": {Lane{Mode: Ordered}, 8 << 20, func(l *laneEnds, lane uint8) {
			for id := uint64(2); id <= lanes.MaxSpan; id++ {
				l.frame(whole(lane, id, 0))
			}
		}},
		"held back, short": {Lane{Mode: Ordered}, 8 << 20, func(l *laneEnds, lane uint8) {
			for id := uint64(2); id <= lanes.MaxSpan; id++ {
				l.frame(whole(lane, id, 1))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l, lines, p := hostileEnds(t, Handler{}, slices.Repeat([]Lane{c.lane}, 16)...)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for range floods {
				for lane := range uint8(16) {
					c.flood(l, lane)
				}
			}
			l.tick(func() {})
			runtime.GC()
			runtime.ReadMemStats(&after)
			each := int(after.HeapAlloc) - int(before.HeapAlloc)
			t.Logf("%d KiB", each>>10)
			if each > c.most {
				t.Errorf("a player makes the server hold %d bytes", each)
			}
			if p.ended.Load() || len(lines.all()) > 0 {
				t.Errorf("audit %+v", lines.all())
			}
			p.endMessages()
			for range 2 { // pools are emptied for the tests that measure next
				runtime.GC()
			}
		})
	}
}
