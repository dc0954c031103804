package transport

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
)

// "It handles everything that has come since the last Poll, on the caller's goroutine and without
// waiting, does what is due, and says how many datagrams came."
func TestClientPoll(t *testing.T) {
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		if n, err := c.Poll(ClientHandler{}); n != 0 || err != nil {
			w.Error(n, err)
		}
		var got []string
		h := ClientHandler{Receive: func(payload []byte) { got = append(got, string(payload)) }}
		p := w.match.player(0)
		for i := range 2 * receiveQueue { // more than wait for Receive
			_ = p.Send(fmt.Append(nil, i))
		}
		time.Sleep(time.Second)
		if len(got) != 0 || c.inbox.count != 0 {
			w.Errorf("%d payloads between frames, %d in the queue", len(got), c.inbox.count)
		}
		start := time.Now()
		if n, err := c.Poll(h); n != 2*receiveQueue || err != nil || len(got) != n || got[n-1] != fmt.Sprint(n-1) {
			w.Errorf("Poll handles %d datagrams, %v; %d payloads", n, err, len(got))
		}
		if d := time.Since(start); d > 100*time.Microsecond {
			w.Errorf("Poll waits %v", d)
		}
		if n, err := c.Poll(h); n != 0 || err != nil {
			w.Error(n, err)
		}
		if s := c.Stats(); s.Overrun != 0 || s.Received != 2*receiveQueue {
			w.Errorf("%+v", s)
		}
	})
}

// "Without it payloads wait for Client.Receive."
func TestClientPollWithoutReceive(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		if err := c.Send([]byte("hello")); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			_, _ = c.Poll(ClientHandler{})
			synctest.Wait()
		}
		if got := w.receive(c); got != "hello" {
			w.Error(got)
		}
	})
}

// A flood does not stop the frame: what is left waits for the next one.
func TestClientPollFlood(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1, quietClient)
		_, _ = c.Poll(ClientHandler{})
		for range maxTurn + 10 {
			w.net.Inject(elsewhere, playerAddr(1), []byte("flood"))
		}
		synctest.Wait()
		for _, want := range []int{maxTurn, 10, 0} {
			if n, err := c.Poll(ClientHandler{}); n != want || err != nil {
				w.Errorf("%d, %v; want %d", n, err, want)
			}
		}
	})
}

// "They may call the client's methods except Poll", and "the error is ErrServing while another Poll
// runs".
func TestClientPollInside(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 10 * time.Millisecond})
		w.serve()
		var c *Client
		events := make(map[ClientEventKind]int)
		var closing error
		c = w.dial(1, func(config *ClientConfig) {
			config.OnEvent = func(ev ClientEvent) {
				if events[ev.Kind]++; ev.Kind == EventClosed {
					closing = c.Send(nil)
				}
			}
		})
		_, _ = c.Poll(ClientHandler{})
		if err := c.Send([]byte("hello")); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		var again error
		_, err := c.Poll(ClientHandler{Receive: func(payload []byte) {
			_, again = c.Poll(ClientHandler{})
			if err := c.Send(payload); err != nil {
				w.Error(err)
			}
		}})
		if err != nil || again != ErrServing {
			w.Error(err, again)
		}
		time.Sleep(time.Second)
		w.match.player(0).Kick(wire.ReasonKicked, "go")
		time.Sleep(time.Second)
		if events[EventClosed] != 0 {
			w.Error("OnEvent is called between frames")
		}
		got := 0
		for range 3 { // the first returns the end, too: the payload came before it
			_, err = c.Poll(ClientHandler{Receive: func([]byte) { got++ }})
		}
		w.closed(err, wire.ReasonKicked)
		w.closed(closing, wire.ReasonKicked)
		if got != 1 || events[EventClosed] != 1 {
			w.Errorf("%d payloads, %v", got, events)
		}
	})
}

// A client that is closed from its own frame loop, or from a handler, says goodbye like any.
func TestClientPollClose(t *testing.T) {
	for name, end := range map[string]func(c *Client){
		"between frames": func(c *Client) { c.Close() },
		"in a handler": func(c *Client) {
			_, _ = c.Poll(ClientHandler{Receive: func([]byte) { c.Close() }})
		},
		"before the first Poll": nil,
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				c := w.dial(1)
				start := time.Now()
				if end == nil {
					c.Close()
				} else {
					_, _ = c.Poll(ClientHandler{})
					_ = c.Send([]byte("hello"))
					synctest.Wait()
					end(c)
				}
				if d := time.Since(start); d > 10*time.Millisecond {
					w.Errorf("it takes %v", d)
				}
				for range 3 {
					if n, err := c.Poll(ClientHandler{}); n != 0 || !errors.Is(err, net.ErrClosed) {
						w.Errorf("then %d, %v", n, err)
					}
				}
				synctest.Wait()
				if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonLeft {
					w.Errorf("the server was told %v", left)
				}
			})
		})
	}
}

// A loading screen: nobody polls for longer than PINGs go unanswered, and the session goes on as it
// was.
func TestClientPollStall(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		for _, stall := range []time.Duration{time.Second, 5 * time.Second, 25 * time.Second} {
			for range 100 {
				_, _ = c.Poll(ClientHandler{})
				_ = c.Send([]byte("input"))
				time.Sleep(time.Second / 60)
			}
			time.Sleep(stall)
		}
		if _, err := c.Poll(ClientHandler{}); err != nil || c.Stats().Resumed != 0 {
			w.Error(err, c.Stats())
		}
		w.quiet()
	})
}

// "From then on the client has none of its own", on real sockets: and a session that is renewed and
// resumed has none afterwards.
func TestClientPollGoroutines(t *testing.T) {
	loopback(t, func(w *world) {
		w.serve()
		w.dial(9).Close() // what the server has to start once, it has started
		before := goroutines(t)
		var clients []*Client
		for i := range 5 {
			clients = append(clients, w.dial(i))
		}
		poll := func() {
			for _, c := range clients {
				if _, err := c.Poll(ClientHandler{}); err != nil {
					t.Error(err)
				}
			}
		}
		settled := func(what string) {
			t.Helper()
			for start := time.Now(); ; time.Sleep(2 * time.Millisecond) {
				poll()
				n := goroutines(t)
				if n <= before {
					return
				}
				if time.Since(start) > patience {
					t.Fatalf("%s: %d goroutines more", what, n-before)
				}
			}
		}
		settled("after the first Poll")
		for _, c := range clients {
			c.mu.Lock()
			c.state.renewal.soon(time.Now(), c.state.conns.current.machine)
			c.state.resumption.disconnected = true
			c.mu.Unlock()
		}
		for start := time.Now(); clients[4].Stats().Resumed+clients[0].Stats().Resumed < 2; time.Sleep(time.Millisecond) {
			if poll(); time.Since(start) > patience {
				t.Fatal("no resume")
			}
		}
		settled("after a resume")
	})
}

// "0 allocations per datagram in and out in steady state": both ends poll, on real sockets.
func TestClientPollNoAllocs(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	s := w.listen(func(c *Config) {
		c.Session.Behaviour = policy.BehaviourConfig{
			Datagrams: 1e9, DatagramBurst: 1e9, Bytes: 1e9, ByteBurst: 1e9, Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
		}
	})
	h := Handler{Receive: func(p *Player, b []byte) { _ = p.Send(b) }}
	stop := make(chan struct{})
	w.serving.Go(func() { // until the client is there
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_, _ = s.Poll(h)
				s.Flush()
			}
		}
	})
	c := w.dial(1, quietClient)
	close(stop)
	w.serving.Wait()
	payload, got := make([]byte, 100), 0
	client := ClientHandler{Receive: func([]byte) { got++ }}
	echo := func() {
		if err := c.Send(payload); err != nil {
			t.Fatal(err)
		}
		for before := got; got == before; {
			_, _ = s.Poll(h)
			s.Flush()
			if _, err := c.Poll(client); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 * receiveQueue {
		echo()
	}
	if n := testing.AllocsPerRun(runs, echo); n != 0 {
		t.Errorf("%v allocations", n)
	}
	s.Close() // or the client waits a second for an answer
	_, _ = c.Poll(client)
}
