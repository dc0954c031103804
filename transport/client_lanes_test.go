package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
)

// A taker hands over what comes for a client until the session is over, and returns why it is.
type taker func(c *Client, h ClientHandler) error

var takers = map[string]taker{
	"Serve": (*Client).Serve,
	"Poll": func(c *Client, h ClientHandler) error {
		for ; ; time.Sleep(time.Second / 60) {
			if _, err := c.Poll(h); err != nil {
				return err
			}
			c.Flush()
		}
	},
}

// eachTaker runs f with the client's two ways.
func eachTaker(t *testing.T, name string, f func(t *testing.T, take taker)) {
	for way, take := range takers {
		t.Run(name+", client "+way, func(t *testing.T) { f(t, take) })
	}
}

// "Receipt is called once for each message to the server on a lane with Receipts": at the end, too,
// for all that are unfinished, however many.
func TestClientReceiptsAtTheEnd(t *testing.T) {
	const n = 1500
	for name, take := range takers {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				var up *netsim.Conn
				w.serve(allLanes)
				l := newLedger("client")
				c := w.dial(1, withLanes, func(c *ClientConfig) { up = c.Conn.(*netsim.Conn) })
				done := make(chan error, 1)
				go func() { done <- take(c, ClientHandler{Receipt: l.receipt}) }()
				synctest.Wait()
				up.SetImpairment(netsim.Impairment{Loss: 1})
				for id := uint64(1); id <= n; id++ {
					if _, err := c.SendMessage(laneReliable, letterOf(laneReliable, id, 10)); err != nil {
						w.Fatal(id, err)
					}
				}
				w.match.player(0).Kick(wire.ReasonKicked)
				w.closed(<-done, wire.ReasonKicked)
				if len(l.receipts) != n || len(l.bad) > 0 {
					w.Errorf("%d receipts of %d; %v", len(l.receipts), n, l.bad)
				}
				for k, arrived := range l.receipts {
					if arrived {
						w.Errorf("id %d counts as arrived", k[1])
					}
				}
			})
		})
	}
}

// Messages wake Serve and payloads wake Receive, side by side.
func TestServeBesideReceive(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(allLanes)
		c := w.dial(1, withLanes, quietClient)
		ctx, cancel := context.WithCancel(w.Context())
		payloads := make(chan int)
		go func() {
			n := 0
			for {
				if _, err := c.Receive(ctx, make([]byte, wire.MaxBody)); err != nil {
					payloads <- n
					return
				}
				n++
			}
		}()
		var slowest time.Duration
		messages := 0
		served := make(chan error)
		go func() {
			served <- c.Serve(ClientHandler{Message: func(_ int, _ uint64, b []byte) {
				var at time.Time
				if err := at.UnmarshalBinary(b); err != nil {
					w.Error(err)
				}
				messages++
				slowest = max(slowest, time.Since(at))
			}})
		}()
		p := w.match.player(0)
		for i := range 50 {
			time.Sleep(500 * time.Millisecond)
			b, _ := time.Now().MarshalBinary()
			_, _ = p.SendMessage(laneReliable, b)
			if i%10 == 0 {
				_ = p.Send([]byte("payload"))
			}
		}
		time.Sleep(time.Second)
		cancel()
		n := <-payloads
		c.Close()
		<-served
		if n != 5 || messages != 50 || slowest > time.Millisecond {
			w.Errorf("%d payloads, %d messages; the slowest takes %v", n, messages, slowest)
		}
	})
}

// "Credit grows when the game has taken the message": a game that takes its time is not kept waiting
// for more.
func TestSlowHandler(t *testing.T) {
	const latency, work, n = 10 * time.Millisecond, 50 * time.Millisecond, 40
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: latency})
		w.serve(func(c *Config) { c.Lanes = []Lane{{Mode: Ordered, MaxMessage: 1000, Credit: 1000}} })
		c := w.dial(1, withLanes, quietClient)
		for range n {
			if _, err := w.match.player(0).SendMessage(0, make([]byte, 1000)); err != nil {
				w.Fatal(err)
			}
		}
		start := time.Now()
		got := 0
		all, done := make(chan bool), make(chan error)
		go func() {
			done <- c.Serve(ClientHandler{Message: func(int, uint64, []byte) {
				time.Sleep(work)
				if got++; got == n {
					close(all)
				}
			}})
		}()
		select {
		case <-all:
		case <-time.After(20 * time.Second):
		}
		if d, most := time.Since(start), n*(work+4*latency); d > most {
			w.Errorf("%d messages take %v, want at most %v", got, d, most)
		}
		c.Close()
		<-done
	})
}

// "after each resumption or change of address" PROTOCOL.md 16.9: the client begins anew, too.
func TestClientMovesAnew(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve(allLanes)
		c := w.dial(1, withLanes)
		measured := func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			smoothed, _ := c.state.lanes.messages.endpoint.RTT()
			return smoothed > 0
		}
		for range 10 {
			_, _ = c.SendMessage(laneReliable, []byte("hello"))
			time.Sleep(100 * time.Millisecond)
		}
		if !measured() {
			w.Error("no RTT")
		}
		if err := c.socket.conn.Load().PacketConn.(*netsim.Conn).Rebind(elsewhere); err != nil {
			w.Fatal(err)
		}
		_ = c.Send([]byte("from elsewhere"))
		time.Sleep(time.Second)
		if c.Stats().Moved != 1 || measured() {
			w.Errorf("moved %d, and the RTT of before remains: %v", c.Stats().Moved, measured())
		}
		_, _ = c.SendMessage(laneReliable, []byte("hello"))
		time.Sleep(100 * time.Millisecond)
		if err := c.Rebind(w.socket(playerAddr(2))); err != nil || measured() {
			w.Errorf("%v; after Rebind the RTT of before remains: %v", err, measured())
		}
	})
}

// "With FRAMES a client SHOULD keep to nine tenths of both, DATA and the others included"
// PROTOCOL.md 16.9. However the client is run nothing is dropped, and the rate is made use of.
func TestClientKeepsToTheRate(t *testing.T) {
	const rate, n = 256 << 10, 3
	for name, take := range takers {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				w.match.mute = true
				atServer, atClient := newLedger("server"), newLedger("client")
				w.match.lanes = atServer
				w.serve(allLanes, func(c *Config) { c.Session.Behaviour.Bytes, c.Session.Behaviour.ByteBurst = rate, 1<<15 })
				c := w.dial(1, withLanes)
				stop := w.takes(c, atClient, take)
				for id := uint64(1); id <= n; id++ {
					if _, err := c.SendMessage(laneBulk, letterOf(laneBulk, id, rate)); err != nil {
						w.Fatal(err)
					}
				}
				start := time.Now()
				for c.Delivered(laneBulk) < n && time.Since(start) < 20*time.Second {
					_ = c.Send(make([]byte, 100))
					time.Sleep(time.Second / 60)
				}
				// A second for each message; 90 %, headers, the payloads and the start take the rest.
				if d := time.Since(start); d > n*1600*time.Millisecond || d < n*time.Second {
					w.Errorf("%d seconds' worth take %v", n, d)
				}
				if d := w.server.Stats().Drops["rate"]; d > 0 {
					w.Errorf("%d datagrams are dropped for the rate", d)
				}
				stop()
				atServer.all(w, laneBulk, n)
			})
		})
	}
}

// The time of a payload is that at which it leaves, whenever the lanes were last looked at.
func TestRTTBesidePayloads(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.match.mute = true
		w.serve(allLanes)
		c := w.dial(1, withLanes, quietClient)
		for range 50 {
			_, _ = c.SendMessage(laneReliable, []byte("hello"))
			time.Sleep(10 * time.Millisecond)
			_ = c.Send([]byte("input")) // the acknowledgement names it, 6 ms after it has come
			time.Sleep(time.Second)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if smoothed, _ := c.state.lanes.messages.endpoint.RTT(); smoothed > 47*time.Millisecond {
			w.Errorf("RTT is %v", smoothed)
		}
	})
}

// A loading screen: nobody polls for ten seconds, and the socket holds a part of what comes meanwhile.
// Nothing reliable is missing afterwards, and nobody is put out.
func TestLanesOverStall(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		atServer, atClient := newLedger("server"), newLedger("client")
		w.match.lanes = atServer
		w.serve(allLanes)
		c := w.dial(1, withLanes)
		p := w.match.player(0)
		h := ClientHandler{Message: atClient.message, Latest: atClient.value, Receipt: atClient.receipt}
		frames := func(n int) {
			for range n {
				if _, err := c.Poll(h); err != nil {
					w.Fatal(err)
				}
				c.Flush()
				time.Sleep(time.Second / 60)
			}
		}
		frames(60)
		n := talkReliably(w, 0, 600, p, c)
		frames(300)
		c.Close()
		w.checkReliable(n, atServer, atClient)
	})
}

// "0 allocations a message up to one fragment": both ends poll, on real sockets.
func TestMessagesNoAllocs(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector takes from pools what was put there")
	}
	w := newWorld(t)
	defer w.close()
	s := w.listen(allLanes, func(c *Config) {
		c.Session.Behaviour = policy.BehaviourConfig{
			Datagrams: 1e8, DatagramBurst: 1e8, Bytes: 1e9, ByteBurst: 1e9, Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
		}
	})
	h := Handler{
		Message: func(p *Player, lane int, _ uint64, b []byte) { _, _ = p.SendMessage(lane, b) },
		Latest:  func(p *Player, lane int, key uint32, b []byte) { _ = p.SendLatest(lane, key, b) },
	}
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
	c := w.dial(1, withLanes)
	close(stop)
	w.serving.Wait()
	payload, got := bytes.Repeat([]byte("x"), 100), 0
	client := ClientHandler{
		Message: func(int, uint64, []byte) { got++ },
		Latest:  func(int, uint32, []byte) { got++ },
	}
	for name, send := range map[string]func() error{
		"reliable": func() error { _, err := c.SendMessage(laneReliable, payload); return err },
		"ordered":  func() error { _, err := c.SendMessage(laneOrdered, payload); return err },
		"latest":   func() error { return c.SendLatest(laneLatest, 1, payload) },
	} {
		echo := func() {
			before := got
			if err := send(); err != nil {
				t.Fatal(err)
			}
			c.Flush()
			for start := time.Now(); got == before && time.Since(start) < patience; {
				_, _ = s.Poll(h)
				s.Flush()
				if _, err := c.Poll(client); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range runs {
			echo()
		}
		if n := testing.AllocsPerRun(runs, echo); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	s.Close() // or the client waits a second for an answer
	if _, err := c.Poll(client); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
