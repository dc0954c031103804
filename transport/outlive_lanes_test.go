package transport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
)

// shutdown ends the server in order, and fails unless that works.
func (w *world) shutdown() {
	w.Helper()
	if err := w.server.Shutdown(context.Background()); err != nil {
		w.Errorf("Shutdown: %v", err)
	}
}

// chatter sends what must arrive from one end, again and again, until it is told to stop.
type chatter struct {
	random *rand.Rand
	sent   [6]uint64
	values map[uint32]string
}

// say sends a message on each lane. While a process gives way to another nothing is queued there, and
// the client's queue may fill.
func (c *chatter) say(w *world, e laneSender) {
	w.Helper()
	for lane, longest := range map[int]int{laneUnreliable: 1088, laneSequenced: 3000, laneReliable: 1088, laneOrdered: 5000} {
		size := c.random.IntN(100)
		if c.random.IntN(20) == 0 {
			size = c.random.IntN(longest + 1)
		}
		id, err := e.SendMessage(lane, letterOf(lane, c.sent[lane]+1, size))
		if err == ErrGone || err == ErrFull {
			continue
		}
		if c.sent[lane]++; err != nil || id != c.sent[lane] {
			w.Errorf("lane %d: id %d, %v; want %d", lane, id, err, c.sent[lane])
		}
	}
	key, v := uint32(c.random.IntN(20)), fmt.Sprint(c.random.Uint64())
	if c.random.IntN(4) == 0 {
		v = ""
	}
	switch err := e.SendLatest(laneLatest, key, []byte(v)); err {
	case nil:
		c.values[key] = v
	case ErrGone:
	default:
		w.Error(err)
	}
}

// settled reports whether all that was sent reliably has receipts at this end, and the other one has the values.
func (c *chatter) settled(here, there *ledger) bool {
	here.mu.Lock()
	receipts := len(here.receipts)
	here.mu.Unlock()
	there.mu.Lock()
	defer there.mu.Unlock()
	for key, v := range c.values {
		if there.latest[key] != v {
			return false
		}
	}
	return receipts == int(c.sent[laneReliable]+c.sent[laneOrdered])
}

// check fails unless everything has come to the other end, once and in order, and this one was told so.
func (c *chatter) check(w *world, here, there *ledger) {
	w.Helper()
	for _, lane := range []int{laneReliable, laneOrdered} {
		there.all(w, lane, int(c.sent[lane]))
	}
	for key, v := range c.values {
		if there.latest[key] != v {
			w.Errorf("%s: key %d has %q, want %q", there.name, key, there.latest[key], v)
		}
	}
	arrived := 0
	for k, ok := range here.receipts {
		if arrived++; !ok {
			w.Errorf("%s: lane %d, id %d counts as lost", here.name, k[0], k[1])
		}
	}
	if n := int(c.sent[laneReliable] + c.sent[laneOrdered]); arrived != n {
		w.Errorf("%s: %d receipts, want %d", here.name, arrived, n)
	}
	seen := make(map[uint64]bool)
	for _, id := range there.messages[laneUnreliable] {
		if seen[id] {
			w.Errorf("%s: lane %d, id %d has come twice", there.name, laneUnreliable, id)
		}
		seen[id] = true
	}
	if len(seen) < int(c.sent[laneUnreliable])/5 {
		w.Errorf("%s: of %d unreliable messages %d have come", there.name, c.sent[laneUnreliable], len(seen))
	}
}

// "lanes over 10 s blackout, migration, restart with snapshot: each message exactly once, order kept, none reported lost
// up to the snapshot's bound", whenever the process ends. Where the pause is short the client never notices; where it is
// long it may resume, and finds its lanes in the next process.
//
// "A process MUST neither deliver nor acknowledge a message once it has begun to end. So the state
// has everything that was acknowledged, and a message is never delivered twice." docs/fleet.md 8.4
func TestLanesOutliveTheProcess(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{
					Latency: 40 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.08, Reorder: 0.05, Duplicate: 0.02,
				})
				c := carried{random: rand.New(rand.NewPCG(seed, 15)), restarts: 6, stay: 1500, pause: 600, run: w.serve}
				if seed%2 == 1 {
					c.run = w.tick
				}
				if seed >= 4 {
					c.pause, c.noticed = 5000, true
				}
				c.drain = 20 * time.Second
				c.play(w)
			})
		})
	}
}

// The same with real sockets and in real time.
func TestLanesOutliveTheProcessOnSockets(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		w.address = net.JoinHostPort("127.0.0.1", testkit.FreePort(t))
		c := carried{random: rand.New(rand.NewPCG(1, 2)), restarts: 3, stay: 250, pause: 100, run: w.serve, drain: 300 * time.Millisecond}
		c.play(w)
	})
}

// carried are the lanes of a player while one process after the other takes the server's place.
type carried struct {
	random   *rand.Rand
	run      func(configure ...func(*Config)) *Server
	restarts int
	stay     int           // milliseconds between two restarts, at most
	pause    int           // milliseconds without a process, at most
	noticed  bool          // the client may resume
	drain    time.Duration // at the end, for what must not come
}

func (c *carried) below(limit int) time.Duration {
	return time.Duration(c.random.IntN(limit)) * time.Millisecond
}

func (c *carried) play(w *world) {
	w.Helper()
	atServer, atClient, told := newLedger("server"), newLedger("client"), &toldClient{}
	w.match.lanes = atServer
	fleet := w.fleet(w.T)
	c.run(fleet, allLanes)
	client := w.dial(1, withLanes, told.note)
	w.echo(client, "WELCOME is answered")
	stop := w.reads(client, atClient)

	up, down := &chatter{random: c.random, values: map[uint32]string{}}, &chatter{random: c.random, values: map[uint32]string{}}
	done := make(chan struct{})
	var talking sync.WaitGroup
	var turn sync.Mutex // of c.random
	talking.Go(func() {
		for ; ; time.Sleep(time.Second / 60) {
			select {
			case <-done:
				return
			default:
			}
			turn.Lock()
			up.say(w, client)
			down.say(w, w.match.newest())
			turn.Unlock()
		}
	})
	for i := range c.restarts {
		turn.Lock()
		stay, pause := c.below(c.stay), c.below(c.pause)
		turn.Unlock()
		time.Sleep(stay)
		w.shutdown()
		w.serving.Wait()
		time.Sleep(pause)
		w.served = nil
		c.run(fleet, allLanes)
		c.taken(w, i+2)
	}
	said := func() int {
		turn.Lock()
		defer turn.Unlock()
		return int(down.sent[laneOrdered])
	}
	before := said()
	w.await("more than ten messages, and one in the last process", func() bool { return said() > max(before, 10) })
	time.Sleep(c.drain / 20)
	close(done)
	talking.Wait()
	w.await("what was sent and its receipts", func() bool { return up.settled(atClient, atServer) && down.settled(atServer, atClient) })
	if st := client.Stats(); st.Resumed != 0 && !c.noticed { // a quiet client does once three PINGs in a row are lost
		w.Errorf("the client has resumed: %+v", st)
	}
	time.Sleep(c.drain)
	if lost := told.lanesLost(); lost != 0 {
		w.Errorf("the client has lost its lanes %d times", lost)
	}
	p := w.match.newest()
	if id := p.Delivered(laneOrdered); id != down.sent[laneOrdered] || p.Origin() != OriginRestored || w.match.player(0).Origin() != OriginOpened {
		w.Errorf("delivered %d of %d, %v after %v", id, down.sent[laneOrdered], p.Origin(), w.match.player(0).Origin())
	}
	stop()
	w.shutdown() // nothing more is written to the ledgers
	up.check(w, atClient, atServer)
	down.check(w, atServer, atClient)
	for _, l := range []*ledger{atServer, atClient} {
		for _, bad := range l.bad {
			w.Errorf("%s: %s", l.name, bad)
		}
	}
	if n := w.match.joined(); n != c.restarts+1 || down.sent[laneOrdered] < 10 {
		w.Errorf("%d players, %d messages down", n, down.sent[laneOrdered])
	}
}

// taken waits until the player has been in n processes: on sockets the last may get no time before
// the next takes its place, however long it stays.
func (c *carried) taken(w *world, n int) {
	w.Helper()
	if w.net == nil {
		w.await(fmt.Sprint("the player in process ", n), func() bool { return w.match.joined() >= n })
	}
}

// toldClient is what a client has been told.
type toldClient struct {
	mu   sync.Mutex
	list []ClientEvent
}

func (e *toldClient) note(c *ClientConfig) {
	c.OnEvent = func(ev ClientEvent) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.list = append(e.list, ev)
	}
}

// lanesLost counts how often the client was told that its lanes begin anew.
func (e *toldClient) lanesLost() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.list {
		if ev.Kind == EventResumed && ev.LanesLost {
			n++
		}
	}
	return n
}
