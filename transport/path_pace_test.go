package transport

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/netsim"
)

// file is what an audit log is written to.
type file struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.b.Write(p)
}

// lines counts the lines of a decision.
func (f *file) lines(d audit.Decision) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Count(f.b.String(), `"decision":"`+d.String()+`"`)
}

// flap has players go to and fro between two addresses each, a hundred times a second.
func (w *world) flap(length time.Duration, clients map[int]*Client) {
	w.Helper()
	for i, start := 0, time.Now(); time.Since(start) < length; i++ {
		for n, c := range clients {
			if i%2 == 0 {
				w.rebind(c, neighbour(n))
			} else {
				w.rebind(c, playerAddr(n))
			}
			_ = c.Send([]byte("sixteen bytes of"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// "A server SHOULD move a connection 4 times at once and then once in 2 s" PROTOCOL.md 9.4. Whoever flaps stays in play,
// and what becomes of others is in the audit log, all of it.
func TestFlappingIsPaced(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 200 * time.Microsecond})
		var log file
		j, err := audit.NewJSON(&log, audit.JSONConfig{})
		if err != nil {
			t.Fatal(err)
		}
		r := w.run(func(c *Config) { c.Audit = audit.Tee(w.audit, j) })
		flappers := map[int]*Client{1: w.dial(1, quietClient), 3: w.dial(3, quietClient)}
		cheats := []*Client{w.dial(5, quietClient), w.dial(7, quietClient), w.dial(9, quietClient)}
		for i, c := range cheats {
			w.flap(3*time.Second, flappers)
			w.match.player(2 + i).Session().Revoke()
			_ = c.Send([]byte("the last"))
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		const length = 9 * time.Second
		n, most := w.audit.count(audit.Migrate), len(flappers)*(dtls.MoveBurst+int(length/dtls.MoveInterval)+1)
		if n < most/2 || n > most {
			w.Errorf("%d migrations in %v, want %d at most", n, length, most)
		}
		if left := w.match.left(); len(left) != len(cheats) {
			w.Errorf("left: %v", left)
		}
		for _, d := range []audit.Decision{audit.Accept, audit.Migrate, audit.Revoke} {
			if got, want := log.lines(d), w.audit.count(d); got != want || want == 0 {
				w.Errorf("%v: %d lines of %d", d, got, want)
			}
		}
		w.end(r, r.Close)
		if err := j.Close(); err != nil {
			w.Error(err)
		}
	})
}

// "A move that has to wait MUST take place afterwards, whether or not anything arrives meanwhile,
// if the player is still at the candidate's address" PROTOCOL.md 9.4. Who says a single word from
// a new address is followed there, and until then answers go to the old one.
func TestPacedMoveIsMade(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 5 * time.Millisecond})
		w.match.mute = true
		w.serve(func(c *Config) { c.Session.Idle = time.Hour })
		c := w.dial(1, quietClient)
		time.Sleep(time.Second)
		p := w.match.player(0)
		says := func(from netip.AddrPort) {
			w.rebind(c, from)
			if err := c.Send([]byte("a word that is long enough for an answer")); err != nil {
				w.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		places := []netip.AddrPort{neighbour(1), playerAddr(1)}
		for i := range dtls.MoveBurst {
			if says(places[i%2]); p.Addr() != places[i%2] {
				w.Errorf("move %d of %d has to wait", i+1, dtls.MoveBurst)
			}
		}
		at := p.Addr()
		start := time.Now()
		says(places[dtls.MoveBurst%2])
		if p.Addr() != at {
			w.Error("moved without a pause")
		}
		for p.Addr() == at && time.Since(start) < 10*time.Second {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(start); p.Addr() != places[dtls.MoveBurst%2] || d > dtls.MoveInterval+dtls.SweepInterval+100*time.Millisecond {
			w.Errorf("followed after %v, to %v", d, p.Addr())
		}
		time.Sleep(time.Minute)
		for i := range dtls.MoveBurst {
			at := places[(dtls.MoveBurst+1+i)%2]
			if says(at); p.Addr() != at {
				w.Errorf("after a minute's rest move %d has to wait", i+1)
			}
		}
	})
}

// A new connection buys a player no more moves.
func TestResumeBuysNoMoves(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 200 * time.Microsecond}) // each challenge is answered in time
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		w.flap(500*time.Millisecond, map[int]*Client{1: c})
		before := w.audit.count(audit.Migrate)
		c.mu.Lock()
		c.state.resumption.disconnected = true
		c.tick(time.Now())
		c.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		if c.Stats().Resumed != 1 {
			w.Fatalf("not resumed: %+v", c.Stats())
		}
		w.flap(500*time.Millisecond, map[int]*Client{1: c})
		if n := w.audits(audit.Migrate) - before; n > 1 {
			w.Errorf("%d migrations after the resumption", n)
		}
	})
}
