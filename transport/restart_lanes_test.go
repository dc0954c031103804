package transport

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// told is what the handler was told of messages that were sent.
func (l *ledger) told() map[[2]uint64]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.receipts)
}

// serveNoting runs Serve, and notes how many receipts there were when a player left.
func (w *world) serveNoting(l *ledger, before *int, configure ...func(*Config)) {
	s := w.listen(configure...)
	w.match.lanes = l
	h := w.match.handler()
	leave := h.Leave
	h.Leave = func(p *Player, reason session.Reason) {
		l.mu.Lock()
		*before = len(l.receipts)
		l.mu.Unlock()
		leave(p, reason)
	}
	w.serving.Go(func() { w.served = s.Serve(h) })
}

// "Where the bytes exceed 65,536, or half of all chunks are full of lanes, messages that have not
// begun are given up first." docs/fleet.md 8.4: the match hears of them before the player leaves,
// and the others go on.
func TestLanesThatHaveNotBegunAreGivenUp(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
		first, second, atClient, told, before := newLedger("first"), newLedger("second"), newLedger("client"), &toldClient{}, 0
		fleet := w.fleet(t)
		w.serveNoting(first, &before, fleet, allLanes)
		c := w.dial(1, withLanes, told.note)
		stop := w.reads(c, atClient)
		time.Sleep(100 * time.Millisecond)
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		p := w.match.player(0)
		const n = 40
		for id := uint64(1); id <= n; id++ {
			if _, err := p.SendMessage(laneOrdered, letterOf(laneOrdered, id, 5000)); err != nil {
				w.Fatal(err)
			}
		}
		w.shutdown()
		w.serving.Wait()
		lost := len(first.told())
		for k, arrived := range first.told() {
			if arrived || k[1] <= uint64(n-lost) {
				w.Errorf("id %d of %d, %d lost: arrived %v", k[1], n, lost, arrived)
			}
		}
		if kept := n - lost; kept*5000 > 65_536 || kept*5000 < 65_536/3 || before != lost {
			w.Errorf("%d are kept, %d lost, %d of them reported before Leave", kept, lost, before)
		}
		if _, err := p.SendMessage(laneOrdered, nil); err != ErrGone {
			w.Errorf("after Shutdown: %v", err)
		}
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
		w.match.lanes = second
		w.serve(fleet, allLanes)
		time.Sleep(time.Second)
		p = w.match.newest()
		for id := uint64(n - lost + 1); id <= n; id++ { // the ids are used again
			if got, err := p.SendMessage(laneOrdered, letterOf(laneOrdered, id, 5000)); err != nil || got != id {
				w.Fatalf("id %d, %v; want %d", got, err, id)
			}
		}
		time.Sleep(3 * time.Second)
		stop()
		atClient.all(w, laneOrdered, n)
		if len(second.told()) != n || told.lanesLost() != 0 || p.Origin() != OriginRestored {
			w.Errorf("%d receipts in the second process, %v", len(second.told()), p.Origin())
		}
	})
}

// "A session whose lanes do not fit even so MUST be left out: its client cannot be told on the same
// connection. It comes back by ticket, its lanes get a new generation, and so both ends learn what is
// lost." docs/fleet.md 8.4
func TestLanesBeyondTheSnapshot(t *testing.T) {
	t.Parallel()
	for name, big := range map[string]func(w *world, c *Client, p *Player) error{
		"down": func(_ *world, _ *Client, p *Player) error {
			_, err := p.SendMessage(laneBulk, letterOf(laneBulk, 1, 1<<20))
			return err
		},
		"up": func(_ *world, c *Client, _ *Player) error {
			_, err := c.SendMessage(laneBulk, letterOf(laneBulk, 1, 1<<20))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
				first, atClient, told, before := newLedger("first"), newLedger("client"), &toldClient{}, 0
				fleet := w.fleet(t)
				w.serveNoting(first, &before, fleet, allLanes)
				c := w.dial(1, withLanes, told.note)
				stop := w.reads(c, atClient)
				p := w.match.player(0)
				if err := big(w, c, p); err != nil {
					w.Fatal(err)
				}
				time.Sleep(500 * time.Millisecond)
				w.net.SetImpairment(netsim.Impairment{Loss: 1})
				for id := uint64(1); id <= 3; id++ {
					for _, e := range []laneSender{p, c} {
						if _, err := e.SendMessage(laneReliable, letterOf(laneReliable, id, 100)); err != nil {
							w.Fatal(err)
						}
					}
				}
				w.shutdown()
				w.serving.Wait()
				if len(first.told()) != 3 || before != 3 || first.told()[[2]uint64{laneReliable, 1}] {
					w.Errorf("receipts %v, %d before Leave", first.told(), before)
				}
				w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
				second := newLedger("second")
				w.match.lanes = second
				w.serve(fleet, allLanes)
				time.Sleep(6 * time.Second)
				if st := c.Stats(); told.lanesLost() != 1 || st.Resumed != 1 || atClient.told()[[2]uint64{laneReliable, 1}] || len(atClient.told()) != 3 {
					w.Fatalf("told %d times, %d receipts, %+v", told.lanesLost(), len(atClient.told()), st)
				}
				q := w.match.newest()
				if q.Origin() != OriginResumed || q.Session().Name() != p.Session().Name() {
					w.Errorf("%v", q.Origin())
				}
				atClient.mu.Lock()
				clear(atClient.receipts)
				atClient.mu.Unlock()
				n := talkReliably(w, 0, 60, q, c)
				time.Sleep(time.Second)
				stop()
				w.checkReliable(n, second, atClient)
			})
		})
	}
}

// "the client comes back by ticket and learns of the new lanes": docs/fleet.md 8.4
func TestRestartWithOtherLanes(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
		atServer, atClient, told := newLedger("server"), newLedger("client"), &toldClient{}
		w.match.lanes = atServer
		fleet := w.fleet(t)
		w.serve(fleet, allLanes)
		c := w.dial(1, withLanes, told.note)
		stop := w.reads(c, atClient)
		talkReliably(w, 0, 10, w.match.player(0), c)
		w.shutdown()
		w.serving.Wait()
		w.serve(fleet, func(c *Config) { c.Lanes = []Lane{{Mode: Ordered, Receipts: true}} })
		time.Sleep(5 * time.Second)
		if told.lanesLost() != 1 || w.match.newest().Origin() != OriginResumed {
			w.Fatalf("told %d times, %v", told.lanesLost(), w.match.newest().Origin())
		}
		if _, err := c.SendMessage(laneOrdered, nil); err != ErrLane {
			w.Errorf("a lane that is no more: %v", err)
		}
		for _, e := range []laneSender{w.match.newest(), c} {
			if id, err := e.SendMessage(0, letterOf(0, 1, 100)); err != nil || id != 1 {
				w.Errorf("id %d, %v", id, err)
			}
		}
		time.Sleep(time.Second)
		stop()
		atServer.all(w, 0, 1)
		atClient.all(w, 0, 1)
		if !slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool { return e.Decision == audit.Reject && e.Cause == "session lanes" }) {
			w.Error("not on record")
		}
	})
}

// A session that had no lanes goes on without: nothing of it waits, and nothing can be queued.
func TestRestartWithoutLanes(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
		fleet := w.fleet(t)
		w.serve(fleet)
		c := w.dial(1, withLanes)
		w.echo(c, "is there")
		w.shutdown()
		w.serve(fleet, allLanes)
		w.echo(c, "goes on")
		if p := w.match.newest(); p.HasLanes() || c.HasLanes() || p.Origin() != OriginRestored {
			w.Errorf("%v", p.Origin())
		}
		c.Close()
	})
}

// "A waiting CloseAfter ends its session at once": the player who was put out does not come back to
// life in the next process.
func TestShutdownAmidCloseAfter(t *testing.T) {
	t.Parallel()
	for _, snapshot := range []bool{false, true} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			fleet := w.fleet(t)
			configure := func(c *Config) {
				if fleet(c); !snapshot {
					c.Snapshot = ""
				}
			}
			w.serve(configure, allLanes)
			c := w.dial(1, withLanes)
			p := w.match.player(0)
			if _, err := p.SendMessage(laneBulk, make([]byte, 1<<20)); err != nil {
				w.Fatal(err)
			}
			p.CloseAfter(time.Minute, 200, "well played")
			w.shutdown()
			w.closed(w.ending(c), 200)
			w.serving.Wait()
			w.serve(configure, allLanes)
			time.Sleep(3 * time.Second)
			if n := w.server.Stats().Sessions; n != 0 || !slices.Equal(w.match.left(), []wire.Reason{200}) {
				w.Errorf("snapshot %v: %d sessions, left: %v", snapshot, n, w.match.left())
			}
		})
	}
}

// "The age of the others goes on": docs/fleet.md 8.4, while there is no process, too.
func TestMessagesAgeBetweenProcesses(t *testing.T) {
	t.Parallel()
	for pause, arrives := range map[time.Duration]bool{500 * time.Millisecond: true, 3 * time.Second: false} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			aging := func(c *Config) { c.Lanes = []Lane{{Mode: Ordered, Receipts: true, MaxAge: 2 * time.Second}} }
			atServer, fleet := newLedger("server"), w.fleet(t)
			w.match.lanes = atServer
			w.serve(fleet, aging)
			c := w.dial(1, withLanes, quietClient)
			stop := w.reads(c, newLedger("client"))
			w.net.SetImpairment(netsim.Impairment{Loss: 1})
			if _, err := w.match.player(0).SendMessage(0, letterOf(0, 1, 100)); err != nil {
				w.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			w.shutdown()
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			time.Sleep(pause)
			w.serve(fleet, aging)
			time.Sleep(time.Second)
			if got, told := atServer.told()[[2]uint64{0, 1}]; !told || got != arrives {
				w.Errorf("a pause of %v: told %v, arrived %v", pause, told, got)
			}
			stop()
		})
	}
}

func TestOriginString(t *testing.T) {
	var all []string
	for o := range OriginRestored + 2 {
		all = append(all, o.String())
	}
	if got := strings.Join(all, ", "); got != "origin 0, opened, resumed, restored, origin 4" {
		t.Error(got)
	}
}
