package lanes

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A duo is two endpoints whose datagrams arrive at once.
type duo struct {
	a, b *Endpoint
	next [2]uint64
	buf  []byte
	now  time.Duration
	got  int
}

func newDuo(tab *Table) *duo {
	d := &duo{buf: make([]byte, 0, 2048), next: [2]uint64{1, 1}, now: time.Second}
	d.a = New(Config{Table: tab, Base: 1, Next: 1, Random: rand.New(rand.NewPCG(1, 2)).Uint64})
	d.b = New(Config{Table: tab, Base: 1, Next: 1, Random: rand.New(rand.NewPCG(3, 4)).Uint64})
	return d
}

type discard struct {
	e   *Endpoint
	got *int
}

func (s *discard) Message(lane int, _ uint64, b []byte) {
	s.e.Taken(lane, len(b))
	*s.got++
}
func (s *discard) Latest(int, uint32, []byte) { *s.got++ }
func (s *discard) Receipt(int, uint64, bool)  {}

// step lets a tick go by, in which both flush.
func (d *duo) step(sinks *[2]discard) {
	d.now += time.Second / 60
	for i, e := range [2]*Endpoint{d.a, d.b} {
		other := d.b
		if i == 1 {
			other = d.a
		}
		e.Tick(d.now, &sinks[i])
		for {
			for e.LeaveOut(d.next[i]) {
				d.next[i]++
			}
			body, ok := e.Append(d.buf[:0], d.now, d.next[i])
			if !ok {
				break
			}
			if !other.table.Check(body) {
				panic("malformed")
			}
			other.Receive(d.now, d.next[i], d.next[1-i]-1, body, &sinks[1-i])
			d.next[i]++
		}
	}
}

func (d *duo) sinks() *[2]discard { return &[2]discard{{d.a, &d.got}, {d.b, &d.got}} }

func everyMode(t testing.TB) *Table {
	return table(t,
		Lane{Mode: Ordered, Receipts: true}, Lane{Mode: Sequenced, Priority: 1},
		Lane{Mode: Reliable, Priority: 1}, Lane{Mode: Unreliable, Priority: 1}, Lane{Mode: Latest, Priority: 2},
	)
}

// In a steady state a message of up to one fragment takes no allocation on either side.
func TestNoAllocs(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector lets pools forget")
	}
	d := newDuo(everyMode(t))
	sinks := d.sinks()
	b := make([]byte, 100)
	round := func() {
		for lane := range 4 {
			if _, err := d.a.Send(d.now, lane, b, &sinks[0]); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.a.SendLatest(4, uint32(d.next[0]%16), b); err != nil {
			t.Fatal(err)
		}
		d.step(sinks)
	}
	for range 200 {
		round()
	}
	d.got = 0
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
	if d.got < 5*200 {
		t.Errorf("%d messages came", d.got)
	}
}

// At most 1.5 KB a player whose lanes have not been used, and little more once they have been: here
// two are used downwards, one of them Latest, and two upwards.
func TestIdleMemory(t *testing.T) {
	const players = 200
	tab := everyMode(t)
	random := rand.New(rand.NewPCG(1, 2)).Uint64
	before := heapInUse()
	fresh := make([]*Endpoint, players)
	for i := range fresh {
		fresh[i] = New(Config{Table: tab, Base: 1, Next: 1, Random: random})
	}
	if each := float64(heapInUse()-before) / players; each > 1536 {
		t.Errorf("%.0f bytes an endpoint before its first message", each)
	} else {
		t.Logf("%.0f bytes an endpoint before its first message", each)
	}
	runtime.KeepAlive(fresh)

	before = heapInUse()
	all := make([]*duo, players)
	b := make([]byte, 100)
	for i := range all {
		d := newDuo(tab)
		all[i] = d
		sinks := d.sinks()
		for i := range 60 {
			if i < 20 {
				d.a.Send(d.now, 0, b, &sinks[0])
				d.a.Send(d.now, 1, b, &sinks[0])
				d.a.SendLatest(4, 1, b)
				d.b.Send(d.now, 0, b, &sinks[1])
				d.b.Send(d.now, 3, b, &sinks[1])
			}
			d.step(sinks)
		}
		d.now += 5 * time.Second
		d.step(sinks)
		d.step(sinks)
		if d.a.flight.packets.b != nil || d.b.flight.refs.b != nil {
			t.Fatal("an idle endpoint keeps its buffers")
		}
		d.buf = nil
	}
	each := float64(heapInUse()-before) / players / 2
	t.Logf("%.0f bytes an endpoint that has been busy", each)
	if each > 2304 {
		t.Errorf("%.0f bytes", each)
	}
	runtime.KeepAlive(all)
}

func heapInUse() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A broadcast shares one copy.
func TestBroadcastSharesOneCopy(t *testing.T) {
	tab := table(t, Lane{Mode: Reliable, MaxMessage: 100_000})
	var all []*duo
	for range 10 {
		all = append(all, newDuo(tab))
	}
	p := NewPayload(make([]byte, 100_000))
	for _, d := range all {
		if _, err := d.a.SendPayload(d.now, 0, p, nil); err != nil {
			t.Fatal(err)
		}
		if d.a.senders[0].head.payload != p {
			t.Fatal("a copy")
		}
	}
	p.Release()
	for _, d := range all {
		sinks := d.sinks()
		for i := 0; i < 600 && d.got == 0; i++ {
			d.step(sinks)
		}
		for range 10 {
			d.step(sinks)
		}
		if d.got != 1 || !d.a.Idle() {
			t.Fatal("has not come")
		}
	}
	if n := p.refs.Load(); n != 0 {
		t.Errorf("%d references are left", n)
	}
}

// Endpoints of many goroutines share a payload and its parity.
func TestPayloadIsConcurrent(t *testing.T) {
	m := msg(0, 1, 5000)
	p := NewPayload(m)
	var wg sync.WaitGroup
	for range 8 {
		p.retain()
		wg.Go(func() {
			defer p.Release()
			for i := range 3 {
				if got := p.parityFrame(3, i); len(got) != wire.FragmentSize(len(m)) {
					t.Errorf("%d bytes", len(got))
				}
			}
		})
	}
	p.Release()
	wg.Wait()
	if n := p.refs.Load(); n != 0 {
		t.Errorf("%d references", n)
	}
}

func BenchmarkTick(b *testing.B) {
	d := newDuo(everyMode(b))
	sinks := d.sinks()
	m := make([]byte, 48)
	b.ReportAllocs()
	for b.Loop() {
		for lane := range 4 {
			d.a.Send(d.now, lane, m, &sinks[0])
		}
		d.step(sinks)
	}
}
