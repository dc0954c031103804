package transport

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/session"
)

// "Hold collects what is sent until Release": also over a turn of the shard's in the middle.
func TestHold(t *testing.T) {
	t.Parallel()
	e := newEnds(t, playerAddr(1), Handler{Receive: func(p *Player, b []byte) { _ = p.Send(b) }})
	s := e.shard.server
	s.use(e.shard)
	p := e.conn().player
	send := func(want int) {
		t.Helper()
		if err := p.Send([]byte("snapshot")); err != nil {
			t.Fatal(err)
		}
		if e.out.sent != want {
			t.Errorf("%d datagrams have gone out, want %d", e.out.sent, want)
		}
	}
	send(1)
	s.Hold()
	send(1)
	s.Hold()
	e.shard.Out.Hold(true)
	e.shard.Datagram(e.now, e.addr, e.data([]byte("input")))
	e.shard.Out.Hold(false)
	send(1)
	s.Release() // "and so does everything when somebody else releases"
	send(4)
	s.Release()
	if e.out.sent != 5 {
		t.Errorf("%d of 5 datagrams have gone out", e.out.sent)
	}
	send(6)
	s.Hold()
	for range udp.BatchLen + 1 { // "what a full batch holds goes out earlier"
		_ = p.Send([]byte("snapshot"))
	}
	if e.out.sent != 6+udp.BatchLen {
		t.Errorf("%d datagrams have gone out of a full batch", e.out.sent)
	}
}

// "QueueMessage is SendMessage for a message that waits for others, to share datagrams with them: it leaves with the next
// Flush, or with whatever is sent before. Serve has it leave within 250 ms. Unlike in a Hold, nothing else waits."
func TestQueueMessage(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.serve(allLanes)
		w.dial(1, withLanes)
		w.dial(2)
		time.Sleep(time.Second)
		p, other := w.match.player(0), w.match.player(1)
		for name, c := range map[string]struct {
			then func()
			sent uint64
		}{
			"nothing":   {func() {}, 0},
			"Flush":     {s.Flush, 1},
			"a payload": {func() { _ = other.Send([]byte("at once")) }, 2},
			"time":      {func() { time.Sleep(250 * time.Millisecond); synctest.Wait() }, 1},
		} {
			synctest.Wait()
			before := s.Stats().Sent
			var last uint64
			for range 3 {
				var err error
				if last, err = p.QueueMessage(laneReliable, []byte("event")); err != nil {
					t.Fatal(err)
				}
			}
			c.then()
			if n := s.Stats().Sent - before; n != c.sent {
				t.Errorf("%s: %d datagrams have gone out, want %d", name, n, c.sent)
			}
			time.Sleep(time.Second)
			if got := p.Delivered(laneReliable); got != last {
				t.Errorf("%s: %d of %d messages have arrived", name, got, last)
			}
		}
	})
}

// "tells every player by NOTICE of drain and CLOSE that the server shuts down": at once also amid a Hold, whose Release
// may wait for the end of Shutdown.
func TestShutdownAmidHold(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.serve()
		c := w.dial(1)
		began := time.Now()
		s.Hold()
		defer s.Release()
		if err := s.Shutdown(w.Context()); err != nil {
			t.Error(err)
		}
		w.closed(w.ending(c), session.ReasonShutdown)
		if took := time.Since(began); took >= closeTime {
			t.Errorf("the player is told after %v", took)
		}
	})
}
