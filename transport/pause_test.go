package transport

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// counted is a socket that counts how often its shard waits. Each time takes a little, so that virtual time goes on
// even where the shard does not pause.
type counted struct {
	udp.Socket

	waits atomic.Int64
}

func (c *counted) Wait(timeout time.Duration, share bool) {
	c.waits.Add(1)
	time.Sleep(time.Microsecond)
	c.Socket.Wait(timeout, share)
}

// "Hold collects what is sent until Release": a shard does not turn again and again for what is due meanwhile.
func TestPauseAmidHold(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.listen(allLanes)
		socket := &counted{Socket: s.first().Socket}
		s.first().Socket = socket
		w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
		w.dial(1, withLanes)
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		p := w.match.player(0)
		if _, err := p.SendMessage(laneReliable, []byte("lost")); err != nil {
			t.Fatal(err)
		}
		s.Hold()
		before := socket.waits.Load()
		time.Sleep(time.Second)
		w.net.SetImpairment(netsim.Impairment{})
		s.Release()
		time.Sleep(50 * time.Millisecond)
		if n := socket.waits.Load() - before; n > 20 {
			t.Errorf("%d turns in a second", n)
		}
		if n, _ := p.Pending(laneReliable); n != 0 {
			t.Error("what was due amid the Hold has not left as it ended")
		}
	})
}

// "after wait at the latest": it counts from the call, whatever time the handler takes that makes it.
func TestPauseAfterASlowHandler(t *testing.T) {
	t.Parallel()
	const wait = 20 * time.Millisecond
	virtual(t, func(w *world) {
		s := w.listen(allLanes)
		var called, left time.Time
		h := w.match.handler()
		h.Receive = func(p *Player, _ []byte) {
			w.net.SetImpairment(netsim.Impairment{Loss: 1})
			time.Sleep(200 * time.Millisecond)
			if _, err := p.SendMessage(laneReliable, []byte("lost")); err != nil {
				t.Error(err)
			}
			p.CloseAfter(wait, session.ReasonKicked)
			called = time.Now()
		}
		h.Leave = func(*Player, session.Reason) { left = time.Now() }
		w.serving.Go(func() { w.served = s.Serve(h) })
		c := w.dial(1, withLanes, quietClient)
		if err := c.Send([]byte("input")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if late := left.Sub(called) - wait; late < 0 || late > time.Millisecond {
			t.Errorf("the player leaves %v late", late)
		}
	})
}
