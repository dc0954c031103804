package transport

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// sieve drops every twentieth datagram or so, and counts what it has dropped in each direction.
type sieve struct {
	rng      *rand.Rand
	up, down atomic.Uint64
}

func (s *sieve) tap(_, to netip.AddrPort, _ []byte) bool {
	if s.rng.IntN(20) != 0 {
		return true
	}
	if to == serverAddr {
		s.up.Add(1)
	} else {
		s.down.Add(1)
	}
	return false
}

// statsOf returns what the server knows of its only player.
func (w *world) statsOf() (s PlayerStats) {
	w.Helper()
	if err := w.server.Visit(w.Context(), func(p *Player) bool { s = p.Stats(); return false }); err != nil {
		w.Fatal(err)
	}
	return s
}

// Each end counts exactly what was lost of its own datagrams, although both leave numbers out; and the
// client knows the server's time within the bound, however asymmetric the path is.
func TestStatsWithLanes(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.match.mute = true
		w.serve(allLanes, func(c *Config) {
			c.Session.Ping = 500 * time.Millisecond
			c.Conn.(*netsim.Conn).SetImpairment(netsim.Impairment{Latency: 70 * time.Millisecond, Jitter: 30 * time.Millisecond})
		})
		c := w.dial(1, withLanes, func(c *ClientConfig) {
			c.Conn.(*netsim.Conn).SetImpairment(netsim.Impairment{Latency: 10 * time.Millisecond, Jitter: 10 * time.Millisecond})
		})
		p := w.match.player(0)
		if !p.HasLanes() || !c.HasLanes() {
			t.Fatal("no lanes")
		}
		s := &sieve{rng: rand.New(rand.NewPCG(1, 1))}
		w.net.Tap(s.tap)
		for range 3000 {
			p.SendMessage(laneOrdered, []byte("event"))
			p.Send([]byte("state"))
			c.SendMessage(laneReliable, []byte("input"))
			c.Send([]byte("aim"))
			time.Sleep(16 * time.Millisecond)
			now := time.Now()
			if at := c.ServerTime(now); at.Clock != 0 && (at.Time.Sub(now).Abs() > at.Bound || at.Clock != 1) {
				t.Fatalf("off by %v: %+v", at.Time.Sub(now), at)
			}
		}
		busy := w.statsOf()
		if busy.Queued == 0 || busy.Rate == 0 || busy.RTT < 80*time.Millisecond || busy.RTT > 160*time.Millisecond || busy.Jitter == 0 {
			t.Errorf("while messages flow: %+v", busy)
		}
		if off := int(busy.LostOut) - int(s.down.Load()); off < -10 || off > 10 {
			t.Errorf("while messages flow %d lost, want about %d", busy.LostOut, s.down.Load())
		}
		w.net.Tap(nil)
		time.Sleep(6 * time.Second)
		lostUp, lostDown := s.up.Load(), s.down.Load()
		at, of, up := c.ServerTime(time.Now()), c.Stats(), w.statsOf()
		if at.Clock != 1 || at.Bound > 60*time.Millisecond {
			t.Errorf("%+v", at)
		}
		if of.LostOut != lostUp || up.LostOut != lostDown || lostUp < 100 || lostDown < 100 {
			t.Errorf("%d lost upwards, %d downwards; want %d and %d", of.LostOut, up.LostOut, lostUp, lostDown)
		}
		if up.Lost <= lostUp || of.LostIn <= lostDown {
			t.Errorf("no number was left out: %+v, %+v", up, of)
		}
		if of.Queued != 0 || up.Queued != 0 || of.Rate == 0 {
			t.Errorf("queues: %+v, %+v", of, up)
		}
	})
}

// "Without lanes it is 0", and RTT and Jitter are those of PINGs.
func TestStatsWithoutLanes(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(allLanes, func(c *Config) {
			c.Session.Ping = 500 * time.Millisecond
			c.Conn.(*netsim.Conn).SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.1})
		})
		c := w.dial(1)
		time.Sleep(20 * time.Second)
		s := w.statsOf()
		if s.RTT < 20*time.Millisecond || s.Jitter == 0 || s.LostOut != 0 || s.Rate != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
		if of := c.Stats(); of.Rate != 0 || of.Queued != 0 || c.ServerTime(time.Now()) != (ServerTime{}) {
			t.Errorf("%+v", of)
		}
	})
}
