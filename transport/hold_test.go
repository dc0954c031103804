package transport

import (
	"testing"
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
