package transport

import (
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// laneEnds are ends with lanes, and the client's endpoint.
type laneEnds struct {
	*ends

	endpoint *lanes.Endpoint
	inbox    []byte
	body     [wire.MaxBody]byte
	got      int
	others   bool // there are other players, whose datagrams do not open
}

func newLaneEnds(t testing.TB, h Handler, list ...Lane) *laneEnds {
	l := &laneEnds{ends: newEnds(t, playerAddr(1), h, list...)}
	agreed := l.client.Lanes()
	if agreed == nil {
		t.Fatal("no lanes")
	}
	var n numbers
	l.endpoint = lanes.New(lanes.Config{Table: agreed.Table, Base: agreed.Base, Next: l.client.Sequence() + 1, Random: n.next})
	l.out.take = l.take
	l.shard.server.clock.elapsed = func(time.Time) time.Duration { return 0 }
	return l
}

// Message implements lanes.Sink, with the others.
func (l *laneEnds) Message(lane int, _ uint64, b []byte) {
	l.got++
	l.endpoint.Taken(lane, len(b))
}
func (l *laneEnds) Latest(int, uint32, []byte) { l.got++ }
func (l *laneEnds) Receipt(int, uint64, bool)  {}

// take is the client's way of a datagram.
func (l *laneEnds) take(b []byte) {
	l.inbox = append(l.inbox[:0], b...)
	rec, _, _ := record.Next(l.inbox)
	_, plaintext, err := l.record.Open(rec)
	switch {
	case err != nil && l.others:
		return
	case err != nil:
		panic(err)
	}
	_, ev := l.client.Handle(l.now, plaintext)
	if seq := l.client.Arrived(); ev.Kind == machine.EventFrames {
		l.endpoint.Receive(l.now.Sub(epoch), seq, l.client.Sequence(), ev.Payload, l)
	}
}

// flush sends what the client has.
func (l *laneEnds) flush() {
	at := l.now.Sub(epoch)
	l.endpoint.Tick(at, l)
	for {
		for l.endpoint.LeaveOut(l.client.Sequence() + 1) {
			l.client.LeaveOut()
		}
		b, ok := l.endpoint.Append(l.body[:0], at, l.client.Sequence()+1)
		if !ok {
			return
		}
		l.shard.Datagram(l.now, l.addr, l.seal(record.ApplicationData, l.envelope(wire.KindFrames, b)))
	}
}

// tick is a tick of 60 Hz: what has come is handled, f sends, and everything leaves.
func (l *laneEnds) tick(f func()) {
	l.now = l.now.Add(time.Second / 60)
	l.shard.server.clock.base = l.now
	l.shard.Out.Hold(true)
	l.flush()
	l.shard.receipts.deliver()
	f()
	l.shard.Out.Flush()
}

// "steady state: 0 allocations a message up to one fragment"
func TestNoAllocsOfMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector takes from pools what was put there")
	}
	receipts := 0
	var player *Player
	l := newLaneEnds(t, Handler{
		Join:    func(p *Player) { player = p },
		Message: func(p *Player, lane int, _ uint64, b []byte) { _, _ = p.SendMessage(lane, b) },
		Receipt: func(*Player, int, uint64, bool) { receipts++ },
	}, Lane{Mode: Unreliable}, Lane{Mode: Sequenced}, Lane{Mode: Reliable, Receipts: true}, Lane{Mode: Ordered}, Lane{Mode: Latest})
	player = connOf(l.shard.Table.At(l.addr)).player
	at, payload := 0, make([]byte, wire.MaxFragment)
	turn := func() {
		l.tick(func() {
			for lane := range 4 {
				if _, err := player.SendMessage(lane, payload[:200]); err != nil {
					t.Fatal(at, lane, err)
				}
				if _, err := l.endpoint.Send(l.now.Sub(epoch), lane, payload[:48], l); err != nil {
					t.Fatal(at, lane, err)
				}
			}
			if at++; at%4 == 0 {
				if _, err := player.SendMessage(2, payload); err != nil {
					t.Fatal(at, err)
				}
			}
			if err := player.SendLatest(4, uint32(at%10), payload[:30]); err != nil {
				t.Fatal("latest", at, err)
			}
		})
	}
	for range 2000 {
		turn()
	}
	if n := testing.AllocsPerRun(runs, turn); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
	if want := 9 * (at - 5); l.got < want || receipts < 2*(at-5) {
		t.Errorf("%d messages of %d, %d receipts of %d", l.got, want, receipts, 2*at)
	}
}

// "≤ 1.5 KB a player with lanes idle"
func TestMemoryOfLanes(t *testing.T) {
	e := newEnds(t, playerAddr(1), Handler{}, Lane{Mode: Unreliable}, Lane{Mode: Sequenced}, Lane{Mode: Reliable}, Lane{Mode: Ordered}, Lane{Mode: Latest})
	agreed := connOf(e.shard.Table.At(e.addr)).session.Lanes()
	const n = 1000
	kept := make([]*messages, n)
	agreements := make([]*machine.Lanes, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools of earlier tests hold survives one
	runtime.ReadMemStats(&before)
	for i := range kept {
		agreements[i] = &machine.Lanes{Table: agreed.Table, Base: agreed.Base, PeerDelay: agreed.PeerDelay, PeerCredit: agreed.PeerCredit}
		kept[i] = &messages{endpoint: e.shard.schedule.newEndpoint(agreements[i], 1)}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; each > 1536 || each < 500 {
		t.Errorf("%d bytes a player", each)
	} else {
		t.Logf("%d bytes a player", each)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(agreements)
}
