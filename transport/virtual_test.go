package transport

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// "each datagram is handled as it comes. What a Handler sends goes out together
// when the datagrams at hand are done."
func TestEcho(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		a, b := w.dial(1), w.dial(2)
		for i := range 100 {
			w.echo(a, fmt.Sprint("a", i))
			w.echo(b, fmt.Sprint("b", i))
		}
		w.echo(a, "")
		w.echo(a, string(make([]byte, wire.MaxBody)))
		if s := w.server.Stats(); s.Sessions != 2 || s.Handshakes.Completed != 2 || len(s.Drops) != 0 {
			w.Errorf("%+v", s)
		}
	})
}

// "The UDP payload has 1 to 1,200 bytes; else drop `size`." PROTOCOL.md 4.1
func TestSizes(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		w.echo(w.dial(1), string(make([]byte, wire.MaxBody))) // 1,200 bytes with everything around it
		for size, reason := range map[int]string{0: "size", 1: "record", 1199: "record", 1200: "record", 1201: "size", 9000: "size"} {
			before := w.server.Stats().Drops[reason]
			w.net.Inject(playerAddr(1), serverAddr, bytes.Repeat([]byte{0xff}, size))
			synctest.Wait()
			if n := w.server.Stats().Drops[reason] - before; n != 1 {
				w.Errorf("%d bytes: %s rises by %d", size, reason, n)
			}
		}
	})
}

// Nothing on the way waits: an echo takes the network's time and no more. With
// Poll it waits for the tick.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve()
		start := time.Now()
		c := w.dial(1)
		// ClientHello, cookie, flights 4 to 6 are three round trips; HELLO is the fourth.
		if d := time.Since(start); d != 160*time.Millisecond {
			w.Errorf("Dial takes %v, want four round trips", d)
		}
		for range 10 {
			start = time.Now()
			w.echo(c, "ping")
			if d := time.Since(start); d != 40*time.Millisecond {
				w.Fatalf("an echo takes %v", d)
			}
		}
		time.Sleep(6 * time.Second)
		if rtt := c.Stats().RTT; rtt != 40*time.Millisecond {
			w.Errorf("RTT is %v", rtt)
		}
	})
}

// "Delivery is neither reliable nor ordered. A payload is delivered at most once." PROTOCOL.md 3.3
func TestImpairedToServer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		const n = 3000
		sent, lost := impaired(w, c.socket.conn.Load().PacketConn.(*netsim.Conn), n, func(b []byte) error { return c.Send(b) })
		exactlyOnce(w, w.match.got, sent, lost)
		if d := w.server.Stats().Drops["replay"]; d != 0 {
			w.Errorf("%d copies came as far as the session: the record window is before it", d)
		}
	})
}

func TestImpairedToClient(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		var conn *netsim.Conn
		w.serve(func(c *Config) { conn = c.Conn.(*netsim.Conn) })
		c := w.dial(1, quietClient)
		synctest.Wait()
		p, got := w.match.player(0), make(map[string]int)
		ctx, cancel := context.WithCancel(w.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for b := make([]byte, wire.MaxBody); ; {
				n, err := c.Receive(ctx, b)
				if err != nil {
					return
				}
				got[string(b[:n])]++
			}
		}()
		sent, lost := impaired(w, conn, 3000, p.Send)
		cancel()
		<-done
		exactlyOnce(w, got, sent, lost)
	})
}

// quietClient sends nothing of its own.
func quietClient(c *ClientConfig) { c.Session.KeepAlive, c.Session.Probe = time.Hour, -1 }

// impaired sends n numbered payloads from a socket whose network is as bad as it
// gets, and says how many of them cannot have arrived.
func impaired(w *world, from *netsim.Conn, n int, send func([]byte) error) (sent, lost int) {
	synctest.Wait() // the first PING
	before := w.net.Stats()
	from.SetImpairment(netsim.Impairment{
		Latency: 30 * time.Millisecond, Jitter: 20 * time.Millisecond,
		Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.05,
	})
	for i := range n {
		if err := send(fmt.Append(nil, "payload ", i)); err != nil {
			w.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(time.Second)
	synctest.Wait()
	from.SetImpairment(netsim.Impairment{})
	s := w.net.Stats()
	lost = int(s.Lost - before.Lost + s.Corrupted - before.Corrupted)
	if s.Sent-before.Sent != uint64(n) || lost < n/6 || s.Duplicated == before.Duplicated || s.Reordered == before.Reordered {
		w.Fatalf("not the network that was asked for: %+v", s)
	}
	return n, lost
}

// exactlyOnce fails unless everything that was not lost came, and nothing twice.
func exactlyOnce(w *world, got map[string]int, sent, lost int) {
	w.Helper()
	if len(got) != sent-lost {
		w.Errorf("%d of %d arrived, %d were lost", len(got), sent, lost)
	}
	for payload, n := range got {
		if n != 1 {
			w.Errorf("%q was delivered %d times", payload, n)
		}
	}
}

// A connection comes up through the same network, in both directions.
func TestImpairedDial(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		w.net.SetImpairment(netsim.Impairment{
			Latency: 30 * time.Millisecond, Jitter: 20 * time.Millisecond,
			Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.02,
		})
		for i := range 20 {
			w.dial(i).Close()
		}
	})
}
