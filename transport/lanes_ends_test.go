package transport

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// "CloseAfter ends the player's session once every message … has arrived".
func TestCloseAfter(t *testing.T) {
	for name, run := range map[string]func(w *world, c ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Loss: 0.1})
				atServer, atClient := newLedger("server"), newLedger("client")
				w.match.lanes = atServer
				run(w, allLanes)
				c := w.dial(1, withLanes)
				stop := w.reads(c, atClient)
				p := w.match.player(0)
				const n = 100
				for id := uint64(1); id <= n; id++ {
					if _, err := p.SendMessage(laneOrdered, letterOf(laneOrdered, id, 500)); err != nil {
						w.Fatal(err)
					}
				}
				p.CloseAfter(10*time.Second, 200, "well played")
				if _, err := p.SendMessage(laneOrdered, nil); err != ErrGone {
					w.Errorf("after CloseAfter: %v", err)
				}
				var b [wire.MaxBody]byte
				_, err := c.Receive(w.Context(), b[:])
				var ended *CloseError
				if !errors.As(err, &ended) || ended.Reason != 200 || ended.Detail != "well played" {
					w.Errorf("the client: %v", err)
				}
				time.Sleep(time.Second)
				stop()
				atClient.all(w, laneOrdered, n)
				for k, arrived := range atServer.receipts {
					if !arrived {
						w.Errorf("lane %d, id %d counts as lost", k[0], k[1])
					}
				}
			})
		})
	}
}

// A player who is put out is told of nothing more; the match learns of each message what became of it.
func TestReceiptsAtTheEnd(t *testing.T) {
	virtual(t, func(w *world) {
		atServer := newLedger("server")
		w.match.lanes = atServer
		w.serve(allLanes)
		w.dial(1, withLanes)
		p := w.match.player(0)
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		for id := uint64(1); id <= 50; id++ {
			if _, err := p.SendMessage(laneReliable, letterOf(laneReliable, id, 100)); err != nil {
				w.Fatal(err)
			}
		}
		p.Kick(200)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(atServer.receipts) != 50 {
			w.Errorf("%d receipts", len(atServer.receipts))
		}
		for k, arrived := range atServer.receipts {
			if arrived {
				w.Errorf("id %d counts as arrived", k[1])
			}
		}
		if _, err := p.SendMessage(laneReliable, nil); err != ErrGone {
			w.Errorf("after the end: %v", err)
		}
	})
}

// A session has lanes if both ends want them. Everything else is an error before anything is queued.
func TestNoLanes(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1, withLanes)
		p := w.match.player(0)
		if _, err := p.SendMessage(0, nil); err != ErrNoLanes || c.HasLanes() || p.HasLanes() {
			w.Errorf("a server without lanes: %v", err)
		}
		if _, err := w.server.BroadcastMessage(0, nil); err != ErrNoLanes {
			w.Errorf("a server without lanes: %v", err)
		}
	})
	virtual(t, func(w *world) {
		w.serve(allLanes)
		c := w.dial(1)
		p := w.match.player(0)
		if _, err := p.SendMessage(0, nil); err != ErrNoLanes || c.HasLanes() || p.HasLanes() {
			w.Errorf("a client without lanes: %v", err)
		}
		if _, err := c.SendMessage(0, nil); err != ErrNoLanes {
			w.Errorf("a client without lanes: %v", err)
		}
		d := w.dial(2, withLanes)
		q := w.match.player(1)
		for _, e := range []laneSender{d, q} {
			for _, bad := range []struct {
				lane, size int
				want       error
			}{{-1, 0, ErrLane}, {6, 0, ErrLane}, {laneLatest, 0, ErrLane}, {laneReliable, 1089, session.ErrTooLarge}, {laneBulk, 1<<20 + 1, session.ErrTooLarge}} {
				if _, err := e.SendMessage(bad.lane, make([]byte, bad.size)); !errors.Is(err, bad.want) {
					w.Errorf("lane %d, %d bytes: %v, want %v", bad.lane, bad.size, err, bad.want)
				}
			}
			if err := e.SendLatest(laneOrdered, 1, nil); err != ErrLane {
				w.Error(err)
			}
			if err := e.SendLatest(laneLatest, 1, make([]byte, 1089)); !errors.Is(err, session.ErrTooLarge) || !strings.Contains(err.Error(), "MaxMessage") {
				w.Errorf("a message's limit is its lane's: %v", err)
			}
		}
		if _, err := w.server.BroadcastMessage(laneLatest, nil); err != ErrLane {
			w.Error(err)
		}
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		for _, e := range []laneSender{d, q} {
			for err := error(nil); err != ErrFull; {
				if _, err = e.SendMessage(laneOrdered, make([]byte, 5000)); err != nil && err != ErrFull {
					w.Fatal(err)
				}
			}
		}
		if missed, err := w.server.BroadcastMessage(laneOrdered, make([]byte, 5000)); err != nil || len(missed) != 1 || missed[0] != q {
			w.Errorf("missed %v, %v", missed, err)
		}
	})
}

// A broadcast reaches every player with lanes, but those left out, once.
func TestBroadcastMessage(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(allLanes)
		var ledgers []*ledger
		for i := range 4 {
			c := w.dial(i+1, withLanes)
			l := newLedger(fmt.Sprint("client ", i))
			ledgers = append(ledgers, l)
			defer w.reads(c, l)()
		}
		w.dial(9)
		for id := uint64(1); id <= 20; id++ {
			if missed, err := w.server.BroadcastMessage(laneOrdered, letterOf(laneOrdered, id, 4000), w.match.player(3)); err != nil || missed != nil {
				w.Fatal(missed, err)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, l := range ledgers[:3] {
			l.all(w, laneOrdered, 20)
		}
		if n := len(ledgers[3].messages[laneOrdered]); n != 0 {
			w.Errorf("%d messages for a player who was left out", n)
		}
	})
}

// A handler that answers from within sends on the same lanes, and nothing waits for itself.
func TestLanesEcho(t *testing.T) {
	virtual(t, func(w *world) {
		s := w.listen(allLanes)
		h := w.match.handler()
		h.Message = func(p *Player, lane int, id uint64, b []byte) {
			if got, err := p.SendMessage(lane, b); err != nil || got != id {
				w.Errorf("id %d, %v; want %d", got, err, id)
			}
			if err := p.Send(b); err != nil {
				w.Error(err)
			}
			p.Delivered(lane)
			p.Pending(lane)
			p.Budget()
			p.Stats()
		}
		w.serving.Go(func() { w.served = s.Serve(h) })
		c := w.dial(1, withLanes)
		l := newLedger("client")
		stop := w.reads(c, l)
		for id := uint64(1); id <= 100; id++ {
			if _, err := c.SendMessage(laneOrdered, letterOf(laneOrdered, id, 100)); err != nil {
				w.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if c.Delivered(laneOrdered) != 100 || w.match.player(0).Delivered(laneOrdered) != 100 {
			w.Errorf("delivered %d and %d", c.Delivered(laneOrdered), w.match.player(0).Delivered(laneOrdered))
		}
		stop()
		l.all(w, laneOrdered, 100)
	})
}
