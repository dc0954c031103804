package transport

import (
	"runtime"
	"testing"
	"unsafe"
)

// mallocs is how many objects f allocates.
func mallocs(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

// "lets the keys of a silent player lie unexpanded": who is looked at twice and
// has said nothing in between rests, and comes back as before.
func TestRest(t *testing.T) {
	got := 0
	e := newEnds(t, playerAddr(1), Handler{Receive: func(p *Player, b []byte) {
		if got++; p.Send(b) != nil {
			t.Error("not sent")
		}
	}})
	c := e.conn()
	echo := func() {
		e.shard.Datagram(e.now, e.addr, e.data([]byte("payload")))
		e.shard.Out.Flush()
	}
	echo()
	c.rest()
	if n := testing.AllocsPerRun(runs, func() { echo(); c.rest() }); n != 0 {
		t.Errorf("%v allocations while nobody is silent", n)
	}
	c.rest()
	if n := mallocs(echo); n < 4 {
		t.Errorf("%d allocations after a silence: the keys of four ciphers are still expanded", n)
	}
	if n := testing.AllocsPerRun(runs, echo); n != 0 {
		t.Errorf("%v allocations after the return", n)
	}
	if want := 1 + runs + 1 + 1 + runs + 1; got != want {
		t.Errorf("%d of %d came", got, want)
	}
}

// "idle: ≤ 4 KB resident per player": with the allocator's 8 bytes a connection
// fills a size class of 1,792, which it has nearly for itself. The next one has
// 2,048, among the garbage of handshakes.
func TestAssociationSize(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 1792-8 {
		t.Errorf("a connection has %d bytes", n)
	}
}
