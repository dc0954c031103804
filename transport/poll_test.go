package transport

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// polled connects n players to a server that only Poll drives, and stops the
// loop.
func (w *world) polled(n int) (s *Server, clients []*Client) {
	w.Helper()
	s = w.listen()
	stop := make(chan struct{})
	w.serving.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				if _, err := s.Poll(w.match.handler()); err != nil {
					w.Error(err)
				}
				s.Flush()
			}
		}
	})
	for i := range n {
		clients = append(clients, w.dial(i, quietClient))
	}
	time.Sleep(time.Second) // the last one's first PING
	close(stop)
	w.serving.Wait()
	return s, clients
}

// "Poll handles everything that has arrived since the last Poll, on the caller's goroutine and
// without waiting, and returns the number of datagrams." "Nothing runs between ticks."
func TestPoll(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		s, clients := w.polled(3)
		for i := range 100 {
			for j, c := range clients {
				if err := c.Send(fmt.Append(nil, j, i)); err != nil {
					w.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if n := w.match.payloads(); n != 0 {
			w.Errorf("%d payloads were delivered between ticks", n)
		}
		n, err := s.Poll(w.match.handler()) // maps without a lock would race if another goroutine called the handler
		if n != 300 || err != nil || w.match.payloads() != 300 {
			w.Errorf("Poll handles %d datagrams, %v; %d payloads", n, err, w.match.payloads())
		}
		if n, err := s.Poll(w.match.handler()); n != 0 || err != nil {
			w.Errorf("then %d, %v", n, err)
		}
		start := time.Now()
		for range 100 {
			s.Poll(w.match.handler())
		}
		if time.Since(start) != 0 {
			w.Error("Poll waits")
		}
	})
}

// "What the Handler sends, and what is sent later, goes out with the next Flush or Poll": nothing
// before, and then in order.
func TestFlush(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s, clients := w.polled(2)
		c, p := clients[0], w.match.player(0)
		for name, out := range map[string]func(){"Flush": s.Flush, "Poll": func() { s.Poll(Handler{}) }} {
			sent := w.net.Stats().Sent
			if err := c.Send([]byte("1")); err != nil {
				w.Fatal(err)
			}
			synctest.Wait()
			s.Poll(w.match.handler()) // answers
			if err := p.Send([]byte("2")); err != nil {
				w.Fatal(err)
			}
			s.Broadcast([]byte("3"))
			go func() { _ = p.Send([]byte("4")) }()
			time.Sleep(time.Second)
			if n := w.net.Stats().Sent - sent; n != 1 {
				w.Errorf("%d datagrams left before %s", n-1, name)
			}
			out()
			for _, want := range []string{"1", "2", "3", "4"} {
				if got := w.receive(c); got != want {
					w.Errorf("%q, want %q", got, want)
				}
			}
			if got := w.receive(clients[1]); got != "3" {
				w.Errorf("%q, want the broadcast", got)
			}
		}
	})
}

// More goes out than one batch holds, and each in its order.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s, clients := w.polled(1)
		for i := range 3*udp.BatchLen + 1 {
			if err := w.match.player(0).Send(fmt.Append(nil, i)); err != nil {
				w.Fatal(err)
			}
		}
		s.Flush()
		for i := range 3*udp.BatchLen + 1 {
			if got := w.receive(clients[0]); got != fmt.Sprint(i) {
				w.Fatalf("%q, want %d", got, i)
			}
		}
	})
}

// "Broadcast sends payload to every player, as Player.Send does to one."
func TestBroadcast(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		var clients []*Client
		for i := range 100 {
			clients = append(clients, w.dial(i))
		}
		synctest.Wait()
		clients[50].Close()
		w.match.player(51).Kick(wire.ReasonKicked)
		synctest.Wait()
		if err := w.server.Broadcast([]byte("all")); err != nil {
			w.Error(err)
		}
		for i, c := range clients {
			if i != 50 && i != 51 && w.receive(c) != "all" {
				w.Error("not the broadcast")
			}
		}
		w.closed(w.ending(clients[51]), wire.ReasonKicked)
	})
}

// "ErrTooLarge": nothing is sent and nothing used up.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		synctest.Wait()
		if n := c.MaxPayload(); n != wire.MaxBody {
			w.Errorf("MaxPayload is %d", n)
		}
		large := make([]byte, wire.MaxBody+1)
		if err := c.Send(large); err != session.ErrTooLarge {
			w.Errorf("Client.Send: %v", err)
		}
		if err := w.match.player(0).Send(large); err != session.ErrTooLarge {
			w.Errorf("Player.Send: %v", err)
		}
		if err := w.server.Broadcast(large); err != session.ErrTooLarge {
			w.Errorf("Broadcast: %v", err)
		}
		if err := w.server.Broadcast(nil); err != nil || w.receive(c) != "" {
			w.Errorf("Broadcast of nothing: %v", err)
		}
		if err := w.server.Broadcast(large[1:]); err != nil || w.receive(c) != string(large[1:]) {
			w.Errorf("Broadcast: %v", err)
		}
		w.echo(c, string(large[1:]))
	})
}

// "Drops the oldest and counts": a burst that the queue cannot hold between two
// ticks.
func TestQueueOverflow(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		s, _ := w.polled(1)
		for i := range udp.QueueLen + 100 {
			w.net.Inject(stranger(i), serverAddr, []byte{byte(i)})
			if i%1000 == 0 {
				synctest.Wait() // the simulated socket's own queue
			}
		}
		synctest.Wait()
		n, err := s.Poll(Handler{})
		if n != udp.QueueLen || err != nil {
			w.Errorf("Poll handles %d, %v", n, err)
		}
		if d := s.Stats().Drops["queue"]; d != 100 {
			w.Errorf("%d counted as dropped, want 100", d)
		}
	})
}
