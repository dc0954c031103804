package lanes

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A path is one direction of a virtual link.
type path struct {
	loss, dup  float64
	latency    time.Duration
	jitter     time.Duration // added at random
	reorder    float64       // share of datagrams that come reorderBy later
	reorderBy  time.Duration
	rate       float64 // bytes a second on the link; zero: unlimited
	queue      time.Duration
	down       func(now time.Duration) bool
	free       time.Duration // when the bottleneck is free again
	sent, lost int
	bytes      int
}

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(v any)   { *e = append(*e, v.(event)) }
func (e *events) Pop() any {
	old := *e
	v := old[len(old)-1]
	*e = old[:len(old)-1]
	return v
}

// A world runs nodes and links in virtual time.
type world struct {
	t      testing.TB
	now    time.Duration
	n      int
	random *rand.Rand
	events events
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, random: rand.New(rand.NewPCG(seed, 1))}
}

func (w *world) at(at time.Duration, do func()) {
	w.n++
	heap.Push(&w.events, event{max(at, w.now), w.n, do})
}

func (w *world) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = until
}

// A node is an endpoint with a link to its peer.
type node struct {
	*Endpoint
	w        *world
	config   Config
	name     string
	out      *path
	peer     *node
	next     uint64 // sequence
	wakeAt   time.Duration
	coarse   bool // driven by ticks alone
	outcomes [Liar + 1]int
	message  func(lane int, id uint64, b []byte)
	latest   func(lane int, key uint32, b []byte)
	receipt  func(lane int, id uint64, arrived bool)
	hold     func(lane int, b []byte) bool // the game does not take it
	panics   func() bool                   // the game does, when it has taken a message
}

func (n *node) Message(lane int, id uint64, b []byte) {
	if n.message != nil {
		n.message(lane, id, b)
	}
	if n.hold == nil || !n.hold(lane, b) {
		n.Taken(lane, len(b))
	}
	if n.panics != nil && n.panics() {
		panic(n)
	}
}

func (n *node) Latest(lane int, key uint32, b []byte) {
	if n.latest != nil {
		n.latest(lane, key, b)
	}
}

func (n *node) Receipt(lane int, id uint64, arrived bool) {
	if n.receipt != nil {
		n.receipt(lane, id, arrived)
	}
}

func table(t testing.TB, lanes ...Lane) *Table {
	t.Helper()
	tab, err := NewTable(lanes)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func (w *world) pair(tab *Table, ab, ba path) (a, b *node) {
	a = &node{w: w, name: "a", out: &ab, next: 1, wakeAt: never}
	b = &node{w: w, name: "b", out: &ba, next: 1, wakeAt: never}
	a.peer, b.peer = b, a
	for _, n := range []*node{a, b} {
		n.config = Config{Table: tab, Base: 1, Next: 1, Random: w.random.Uint64}
		n.Endpoint = New(n.config)
	}
	return a, b
}

// tick calls game every interval and flushes after it.
func (n *node) tick(interval, until time.Duration, game func()) {
	var next func()
	next = func() {
		game()
		n.flush()
		if n.w.now+interval <= until {
			n.w.at(n.w.now+interval, next)
		}
	}
	n.w.at(n.w.now+time.Duration(n.w.random.Int64N(int64(interval))), next)
}

func (n *node) flush() {
	w := n.w
	n.Tick(w.now, n)
	for n.Deadline(w.now) <= w.now { // as transports do
		for n.LeaveOut(n.next) {
			n.next++
		}
		body, ok := n.Append(nil, w.now, n.next)
		if !ok {
			break
		}
		seq := n.next
		n.next++
		if len(body) > wire.MaxBody || len(body) == 0 {
			w.t.Fatalf("%d bytes", len(body))
		}
		n.transmit(seq, body)
	}
	if n.coarse {
		return
	}
	if d := n.Deadline(w.now); d != never {
		d = max(d, w.now+100*time.Microsecond)
		if n.wakeAt <= w.now || d < n.wakeAt {
			n.wakeAt = d
			w.at(d, func() {
				if n.wakeAt == w.now {
					n.flush()
				}
			})
		}
	}
}

func (n *node) transmit(seq uint64, body []byte) {
	w, p := n.w, n.out
	p.sent++
	size := len(body) + overhead
	if p.down != nil && p.down(w.now) {
		return
	}
	at := w.now
	if p.rate > 0 {
		p.free = max(p.free, w.now)
		if p.free-w.now > p.queue {
			p.lost++
			return
		}
		p.free += time.Duration(float64(size) / p.rate * 1e9)
		at = p.free
	}
	p.bytes += size
	copies := 1
	if w.random.Float64() < p.dup {
		copies = 2
	}
	if w.random.Float64() < p.loss {
		p.lost++
		return
	}
	for range copies {
		delay := p.latency
		if p.jitter > 0 {
			delay += time.Duration(w.random.Int64N(int64(p.jitter)))
		}
		if w.random.Float64() < p.reorder {
			delay += p.reorderBy
		}
		w.at(at+delay, func() { n.peer.take(seq, body) })
	}
}

func (n *node) take(seq uint64, body []byte) {
	if !n.table.Check(body) {
		n.w.t.Fatalf("%s: malformed: %x", n.name, body)
	}
	o := n.receive(seq, body)
	n.outcomes[o]++
	if o > Refused {
		n.w.t.Fatalf("%s: %v", n.name, o)
	}
	if !n.coarse {
		d := n.Deadline(n.w.now)
		if d < n.wakeAt || n.wakeAt <= n.w.now {
			n.flush()
		}
	}
}

// receive is Receive where the caller recovers when the game panics.
func (n *node) receive(seq uint64, body []byte) (o Outcome) {
	defer func() {
		if v := recover(); v != nil && v != n {
			panic(v)
		}
	}()
	return n.Receive(n.w.now, seq, n.next-1, body, n)
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[min(len(d)-1, int(float64(len(d))*q))]
}

// msg is a message that says what it is: lane, number, and bytes that follow from both.
func msg(lane int, number uint64, size int) []byte {
	b := make([]byte, max(size, 0))
	x := number*2654435761 + uint64(lane)
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return b
}

var impairments = []struct {
	name string
	path path
}{
	{"clean", path{latency: 20 * time.Millisecond}},
	{"loss", path{latency: 30 * time.Millisecond, loss: 0.1}},
	{"heavy loss", path{latency: 10 * time.Millisecond, loss: 0.4}},
	{"jitter", path{latency: 20 * time.Millisecond, jitter: 40 * time.Millisecond}},
	{"reorder", path{latency: 20 * time.Millisecond, reorder: 0.3, reorderBy: 50 * time.Millisecond}},
	{"duplicates", path{latency: 20 * time.Millisecond, dup: 0.5, jitter: 10 * time.Millisecond}},
	{"bottleneck", path{latency: 20 * time.Millisecond, rate: 60_000, queue: 100 * time.Millisecond}},
	{"all", path{
		latency: 25 * time.Millisecond, loss: 0.1, dup: 0.1, jitter: 20 * time.Millisecond, reorder: 0.1,
		reorderBy: 30 * time.Millisecond, rate: 100_000, queue: 200 * time.Millisecond,
	}},
	{"blackout", path{latency: 20 * time.Millisecond, down: func(now time.Duration) bool {
		return now > time.Second && now < 3*time.Second
	}}},
}

func seconds(f float64) time.Duration { return time.Duration(f * 1e9) }
