package transport

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// FuzzFrames has an authenticated player send any bodies of FRAMES to a shard, where another one plays on. Each body is preceded by
// its length, 2 bytes, and by how the clock moves. Nothing panics, the server holds no more than the bounds let it, the other
// player's lanes go on, and the session ends for nothing but what no honest client does.
func FuzzFrames(f *testing.F) {
	for _, bodies := range [][][]byte{
		{bodyOf(whole(2, 1, 5)), bodyOf(whole(3, 3, 5), whole(3, 2, 5)), bodyOf(whole(3, 1, 0))},
		{bodyOf(fragment(0, 1, 1, 1100)), bodyOf(fragment(1, 7, 1, 1100)), bodyOf(fragment(2, 1, 0, 3000))},
		{bodyOf(wire.Frame{Type: wire.FrameLatest, Lane: 4, ID: 1, Key: 9, Data: []byte("x")}), {0x10, 0, 0, 0, 1, 0, 0, 0}},
		{bodyOf(wire.Frame{Type: wire.FrameSkip, Lane: 3, ID: 900, Bytes: 5}), bodyOf(wire.Frame{Type: wire.FrameCredit, Lane: 2, Bytes: 1 << 40})},
		{{0x10, 0, 0, 4, 1, 0, 0, 0}, {0x10, 0, 0, 4, 2, 0, 0, 0}, {0x10, 0, 0, 4, 3, 0, 0, 0}},
		{bodyOf(whole(2, 5000, 5))},
	} {
		var in []byte
		for _, b := range bodies {
			in = append(append(in, byte(len(b)), byte(len(b)>>8), 20), b...)
		}
		f.Add(in)
	}
	runs := 0
	f.Fuzz(func(t *testing.T, in []byte) {
		newFrameArena(t).play(t, in)
		if runs++; runs%256 == 0 {
			weigh(t)
		}
	})
}

// maxFrames is how many bodies one input has at most.
const maxFrames = 64

// frameArena is a shard with an honest player on lanes, to which hostile ones come.
type frameArena struct {
	honest *laneEnds
	issuer *testkit.Issuer
	lines  *sink
	got    int // messages of the honest player
}

func newFrameArena(t testing.TB) *frameArena {
	a := &frameArena{lines: &sink{}}
	a.honest = newLaneEnds(t, Handler{Message: func(p *Player, lane int, _ uint64, b []byte) {
		if p.session.Subject() == "alice" {
			a.got++
		}
		_, _ = p.SendMessage(lane, b)
	}}, modes...)
	a.honest.shard.server.config.Audit, a.honest.others = a.lines, true
	a.issuer = testkit.NewIssuer(t)
	return a
}

// join has a hostile player come.
func (a *frameArena) join(t *testing.T) *laneEnds {
	h := &laneEnds{ends: &ends{shard: a.honest.shard, out: &memory{}, addr: udp.Flow{AddrPort: netip.MustParseAddrPort("10.9.9.9:9")}}}
	h.join(t, a.issuer, "mallory", true)
	h.now = a.honest.now
	return h
}

func (a *frameArena) play(t *testing.T, in []byte) {
	h := a.join(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := h.conn()
	p := c.player
	verdicts := h.shard.Dropped(audit.DropLanes)
	for n := 0; len(in) >= 3 && n < maxFrames; n++ {
		size, step := min(int(in[0])|int(in[1])<<8, len(in)-3, wire.MaxBody), in[2]
		if !p.ended.Load() {
			_ = p.SendLatest(4, uint32(n), in[:min(len(in), 20)])
			h.bytes(in[3 : 3+size])
		}
		in = in[3+size:]
		a.pass(time.Duration(step) * time.Millisecond)
		h.now = a.honest.now
	}
	if p.ended.Load() && h.shard.Dropped(audit.DropLanes) == verdicts {
		t.Fatalf("the session ends, but not for its lanes: %+v", a.lines.all())
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(maxFrames*(100<<10)) {
		t.Fatalf("%d bytes have been allocated for %d datagrams", n, maxFrames)
	}
	a.alive(t)
	c.end(h.now, wire.ReasonKicked)
	c.Shard.Table.Remove(&c.Conn)
	if p.messages != nil || len(h.shard.players.list) != 1 || h.shard.schedule.players != 1 {
		t.Fatalf("%d players, %d with lanes", len(h.shard.players.list), h.shard.schedule.players)
	}
}

// pass lets time pass.
func (a *frameArena) pass(d time.Duration) {
	l := a.honest
	l.now = l.now.Add(d)
	l.shard.server.clock.base = l.now
	l.shard.Out.Flush()
	l.shard.receipts.deliver()
}

// alive proves that the honest player's lanes go on, both ways.
func (a *frameArena) alive(t *testing.T) {
	l := a.honest
	before, back := a.got, l.got
	for lane := range 4 {
		if _, err := l.endpoint.Send(l.now.Sub(epoch), lane, []byte("still here"), l); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		if l.tick(func() {}); a.got == before+4 && l.got == back+4 {
			return
		}
	}
	t.Fatalf("%d messages to the match, %d back", a.got-before, l.got-back)
}

// weigh checks that what hostile players have left is bounded.
func weigh(t *testing.T) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 256<<20 {
		t.Fatalf("%d bytes on the heap", m.HeapAlloc)
	}
}
