package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// Lanes of the tests, one of each mode and a bulky one.
const (
	laneUnreliable = iota
	laneSequenced
	laneReliable
	laneOrdered
	laneLatest
	laneBulk
)

func allLanes(c *Config) {
	c.Lanes = []Lane{
		{Mode: Unreliable},
		{Mode: Sequenced, MaxMessage: 6144, Parity: 1},
		{Mode: Reliable, Receipts: true},
		{Mode: Ordered, Receipts: true, MaxMessage: 5000},
		{Mode: Latest},
		{Mode: Ordered, Priority: 1, MaxMessage: 1 << 20, Queue: 2 << 20},
	}
}

func withLanes(c *ClientConfig) { c.Session.Lanes = true }

// ledger records what one end has received on its lanes, and checks it.
type ledger struct {
	name string

	mu       sync.Mutex
	messages [6][]uint64 // ids
	latest   map[uint32]string
	receipts map[[2]uint64]bool
	bad      []string
}

func newLedger(name string) *ledger {
	return &ledger{name: name, latest: make(map[uint32]string), receipts: make(map[[2]uint64]bool)}
}

// letterOf is the content of a message: its lane and id over its whole length.
func letterOf(lane int, id uint64, n int) []byte {
	var head [9]byte
	head[0] = byte(lane)
	binary.BigEndian.PutUint64(head[1:], id)
	return bytes.Repeat(head[:], n/9+1)[:n]
}

func (l *ledger) message(lane int, id uint64, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !bytes.Equal(b, letterOf(lane, id, len(b))) {
		l.bad = append(l.bad, fmt.Sprintf("lane %d, id %d: other bytes", lane, id))
	}
	if list := l.messages[lane]; lane != laneReliable && lane != laneUnreliable && len(list) > 0 && list[len(list)-1] >= id {
		l.bad = append(l.bad, fmt.Sprintf("lane %d: %d after %d", lane, id, list[len(list)-1]))
	}
	l.messages[lane] = append(l.messages[lane], id)
}

func (l *ledger) value(_ int, key uint32, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest[key] = string(b)
}

func (l *ledger) receipt(lane int, id uint64, arrived bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := [2]uint64{uint64(lane), id}
	if _, twice := l.receipts[k]; twice {
		l.bad = append(l.bad, fmt.Sprintf("lane %d, id %d: two receipts", lane, id))
	}
	l.receipts[k] = arrived
}

// all checks that each of n messages of a lane has come exactly once.
func (l *ledger) all(w *world, lane int, n int) {
	w.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[uint64]int)
	for _, id := range l.messages[lane] {
		seen[id]++
	}
	for id := uint64(1); id <= uint64(n); id++ {
		if seen[id] != 1 {
			w.Errorf("%s: lane %d, id %d has come %d times", l.name, lane, id, seen[id])
			return
		}
	}
	if len(seen) != n {
		w.Errorf("%s: lane %d has %d messages, want %d", l.name, lane, len(seen), n)
	}
}

// sender is either end.
type laneSender interface {
	SendMessage(lane int, b []byte) (uint64, error)
	SendLatest(lane int, key uint32, b []byte) error
}

// talk sends on all lanes at 60 Hz, and returns how many messages each lane got.
func talk(w *world, d time.Duration, ends ...laneSender) (n int) {
	w.Helper()
	for range int(d / (time.Second / 60)) {
		n++
		for _, e := range ends {
			for lane, size := range map[int]int{laneUnreliable: 50, laneSequenced: 1300, laneReliable: 200, laneOrdered: 1200} {
				if id, err := e.SendMessage(lane, letterOf(lane, uint64(n), size)); err != nil || id != uint64(n) {
					w.Fatalf("lane %d: id %d, %v; want %d", lane, id, err, n)
				}
			}
			if err := e.SendLatest(laneLatest, uint32(n%5), fmt.Append(nil, n)); err != nil {
				w.Fatal(err)
			}
		}
		time.Sleep(time.Second / 60)
	}
	return n
}

// "One lane of each mode, both ways, on a bad path: everything reliable exactly once, in order, and the newest value."
func TestLanes(t *testing.T) {
	for name, run := range map[string]func(w *world, c ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		eachTaker(t, name, func(t *testing.T, take taker) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05})
				atServer, atClient := newLedger("server"), newLedger("client")
				w.match.lanes = atServer
				run(w, allLanes)
				c := w.dial(1, withLanes)
				stop := w.takes(c, atClient, take)
				p := w.match.player(0)
				if !p.HasLanes() || !c.HasLanes() {
					w.Fatal("no lanes")
				}
				n := talk(w, 5*time.Second, p, c)
				time.Sleep(3 * time.Second)
				stop()
				for _, l := range []*ledger{atServer, atClient} {
					l.all(w, laneReliable, n)
					l.all(w, laneOrdered, n)
					for _, bad := range l.bad {
						w.Errorf("%s: %s", l.name, bad)
					}
					if u, s := len(l.messages[laneUnreliable]), len(l.messages[laneSequenced]); u < n*8/10 || s < n*7/10 {
						w.Errorf("%s: of %d messages %d unreliable and %d sequenced ones have come", l.name, n, u, s)
					}
					for key := range uint32(5) {
						newest := n - (n-int(key))%5
						if l.latest[key] != fmt.Sprint(newest) {
							w.Errorf("%s: key %d has %q, want %d", l.name, key, l.latest[key], newest)
						}
					}
					if len(l.receipts) != 2*n {
						w.Errorf("%s: %d receipts, want %d", l.name, len(l.receipts), 2*n)
					}
				}
			})
		})
	}
}

// reads hands over what comes for a client, until the session ends.
func (w *world) reads(c *Client, l *ledger) (stop func()) { return w.takes(c, l, (*Client).Serve) }

// takes is reads in one of two ways.
func (w *world) takes(c *Client, l *ledger, take taker) (stop func()) {
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := take(c, ClientHandler{Message: l.message, Latest: l.value, Receipt: l.receipt}); err == nil {
			w.Error("Serve ends without an error")
		}
	})
	return func() {
		c.Close()
		reading.Wait()
	}
}

// "Lanes outlive the connection: migration, blackout, resume by ticket on the same server."
func TestLanesOutliveTheConnection(t *testing.T) {
	for name, happen := range map[string]func(w *world, c *Client){
		"blackout": func(w *world, _ *Client) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Loss: 1})
			time.Sleep(10 * time.Second)
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Loss: 0.02})
		},
		"resumption": func(_ *world, c *Client) { // its keys are used up
			c.mu.Lock()
			defer c.mu.Unlock()
			c.state.resumption.rekeyAt = c.state.conns.current.record.Sealed() + 50
		},
		"migration": func(w *world, c *Client) {
			if err := c.Rebind(w.socket(playerAddr(2))); err != nil {
				w.Fatal(err)
			}
		},
	} {
		eachTaker(t, name, func(t *testing.T, take taker) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Loss: 0.02})
				atServer, atClient := newLedger("server"), newLedger("client")
				w.match.lanes = atServer
				w.serve(allLanes)
				c := w.dial(1, withLanes)
				stop := w.takes(c, atClient, take)
				p := w.match.player(0)
				n := talkReliably(w, 0, 60, p, c)
				happening := make(chan struct{})
				go func() {
					defer close(happening)
					happen(w, c)
				}()
				n = talkReliably(w, n, 300, p, c)
				<-happening
				n = talkReliably(w, n, 60, p, c)
				time.Sleep(5 * time.Second)
				stop()
				w.checkReliable(n, atServer, atClient)
				if resumed := c.Stats().Resumed > 0; resumed != (name == "resumption") {
					w.Errorf("resumed: %v", resumed)
				}
			})
		})
	}
}

// talkReliably sends short messages that must arrive, and returns how many each lane has got.
func talkReliably(w *world, n, more int, ends ...laneSender) int {
	w.Helper()
	for range more {
		n++
		for _, e := range ends {
			for lane, size := range map[int]int{laneReliable: 20, laneOrdered: 30} {
				if id, err := e.SendMessage(lane, letterOf(lane, uint64(n), size)); err != nil || id != uint64(n) {
					w.Fatalf("lane %d: id %d, %v; want %d", lane, id, err, n)
				}
			}
			if err := e.SendLatest(laneLatest, uint32(n%5), fmt.Append(nil, n)); err != nil {
				w.Fatal(err)
			}
		}
		time.Sleep(time.Second / 60)
	}
	return n
}

// checkReliable checks that each of n messages has come once to both ends, with a receipt.
func (w *world) checkReliable(n int, ledgers ...*ledger) {
	w.Helper()
	for _, l := range ledgers {
		l.all(w, laneReliable, n)
		l.all(w, laneOrdered, n)
		for _, bad := range l.bad {
			w.Errorf("%s: %s", l.name, bad)
		}
		for key := range uint32(5) {
			newest := n - (n-int(key))%5
			if l.latest[key] != fmt.Sprint(newest) {
				w.Errorf("%s: key %d has %q, want %d", l.name, key, l.latest[key], newest)
			}
		}
		for k, arrived := range l.receipts {
			if !arrived {
				w.Errorf("%s: lane %d, id %d counts as lost", l.name, k[0], k[1])
			}
		}
		if len(l.receipts) != 2*n {
			w.Errorf("%s: %d receipts, want %d", l.name, len(l.receipts), 2*n)
		}
	}
}
