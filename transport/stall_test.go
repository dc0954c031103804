package transport

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// hanging makes a server whose match polls at 60 Hz, but for the time that hang is
// given, once.
func (w *world) hanging(configure ...func(*Config)) (s *Server, hang func(time.Duration)) {
	w.Helper()
	s = w.listen(configure...)
	return s, w.hangs(s)
}

// hangs does so with a server that has not run yet.
func (w *world) hangs(s *Server) (hang func(time.Duration)) {
	var stall atomic.Int64
	w.match.mute = true
	w.serving.Go(func() {
		for h := w.match.handler(); w.served == nil; time.Sleep(time.Second / 60) {
			time.Sleep(time.Duration(stall.Swap(0)))
			_, w.served = s.Poll(h)
			s.Broadcast([]byte("snapshot"))
			s.Flush()
		}
	})
	return func(d time.Duration) { stall.Store(int64(d)) }
}

// play has clients send at a rate until stop is called, which returns how often all
// of them have.
func (w *world) play(hz int, clients ...*Client) (stop func() int) {
	done, sent := make(chan struct{}), atomic.Int64{}
	var playing sync.WaitGroup
	for _, c := range clients {
		playing.Go(func() {
			ticker := time.NewTicker(time.Second / time.Duration(hz))
			defer ticker.Stop()
			for {
				select {
				case <-done:
					return
				case <-ticker.C:
				}
				if err := c.Send([]byte("input")); err != nil {
					w.Errorf("put out: %v", err)
					return
				}
				sent.Add(1)
			}
		})
	}
	return func() int {
		close(done)
		playing.Wait()
		return int(sent.Load())
	}
}

// unhurt expects that nobody has left or been revoked.
func (w *world) unhurt() {
	w.Helper()
	if left, revoked := w.match.left(), w.revocations(); len(left) > 0 || len(revoked) > 0 {
		w.Errorf("left: %v, revoked: %v, drops: %v", left, revoked, w.server.Stats().Drops)
	}
}

// "What counts is when a datagram arrived, not when the server came to read it."
// PROTOCOL.md 4.10. So a stall of the server puts nobody out and has nothing dropped,
// at any rate that WELCOME allows.
func TestServerStalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hz, players int
		stalls      []time.Duration
	}{
		{60, 6, []time.Duration{2 * time.Second, 9 * time.Second, 4 * time.Second}},
		{128, 3, []time.Duration{9 * time.Second, 3 * time.Second, 9 * time.Second}},
		{250, 1, []time.Duration{12 * time.Second, 12 * time.Second}},
	} {
		t.Run(fmt.Sprintf("%d Hz", test.hz), func(t *testing.T) {
			virtual(t, func(w *world) {
				s, hang := w.hanging()
				var clients []*Client
				for n := range test.players {
					clients = append(clients, w.join(n))
				}
				stop := w.play(test.hz, clients...)
				for _, d := range test.stalls {
					time.Sleep(2 * time.Second)
					hang(d)
					time.Sleep(d)
				}
				time.Sleep(2 * time.Second)
				sent := stop()
				time.Sleep(time.Second)
				w.unhurt()
				if n := w.match.count("input"); n != sent {
					w.Errorf("%d of %d inputs delivered, drops %v", n, sent, s.Stats().Drops)
				}
			})
		})
	}
}

// "What counts is when a datagram arrived, not when the server came to read it." PROTOCOL.md 4.10:
// also of what arrives while a turn stands still, before it reads the socket or amid a batch.
func TestServerStallsWithinATurn(t *testing.T) {
	t.Parallel()
	const stall = 4 * time.Second
	for name, stalls := range map[string]func(w *world, joins, reads *atomic.Int64, hang func(time.Duration)){
		"a player joins": func(w *world, joins, _ *atomic.Int64, _ func(time.Duration)) {
			joins.Store(int64(stall))
			w.join(4)
		},
		"amid a batch": func(_ *world, _, reads *atomic.Int64, hang func(time.Duration)) {
			hang(time.Second)
			time.Sleep(time.Second / 2)
			reads.Store(int64(stall))
			time.Sleep(stall)
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				var joins, reads atomic.Int64 // how long the next Join, or look at an input, takes
				w.match.onJoin = func() { time.Sleep(time.Duration(joins.Swap(0))) }
				s, hang := w.hanging(func(c *Config) {
					c.Session.Inspect = func(session.Session, []byte) policy.Verdict {
						time.Sleep(time.Duration(reads.Swap(0)))
						return policy.VerdictAllow
					}
				})
				stop := w.play(128, w.join(1), w.join(2), w.join(3))
				time.Sleep(2 * time.Second)
				stalls(w, &joins, &reads, hang)
				time.Sleep(2 * time.Second)
				sent := stop()
				time.Sleep(time.Second)
				w.unhurt()
				if n := w.match.count("input"); n != sent || joins.Load()+reads.Load() != 0 {
					w.Errorf("%d of %d inputs delivered, drops %v", n, sent, s.Stats().Drops)
				}
			})
		})
	}
}

// No clock is read for a datagram: a turn reads both once for each batch that it has received, and
// none if nothing has come.
func TestClocksInATurn(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		f := newFloor(w, 1, rand.New(rand.NewPCG(1, 1)))
		s, p := f.shards[0], f.players[0]
		f.comes(p, f.addrs[0])
		synctest.Wait()
		var walls, times int
		c := f.server.clock
		wall, elapsed := c.wall, c.elapsed
		c.wall = func() time.Time { walls++; return wall() }
		c.elapsed = func(start time.Time) time.Duration { times++; return elapsed(start) }
		for _, n := range []int{0, 1, udp.BatchLen - 1, udp.BatchLen, 3 * udp.BatchLen} {
			for range n {
				f.say(p.visit, f.addrs[0], wire.KindData, []byte("here"))
			}
			f.got = nil
			now := c.now()
			walls, times = 0, 0
			if s.Turn(now); len(f.got) != n {
				t.Errorf("%d of %d datagrams are delivered", len(f.got), n)
			}
			batches := 0
			if n > 0 {
				batches = n/udp.BatchLen + 1 // the last one tells that there is no more
			}
			if walls != batches || times != batches {
				t.Errorf("for %d datagrams the wall clock is read %d times and the other one %d times, want %d", n, walls, times, batches)
			}
		}
	})
}

// unstamped is a socket that does not tell when its datagrams were received.
type unstamped struct{ udp.Socket }

func (u unstamped) Receive() []udp.Packet {
	packets := u.Socket.Receive()
	for i := range packets {
		packets[i].Stamp = 0
	}
	return packets
}

// "If the system does not tell the time of arrival, a stall of the server looks like a silence of
// all players." PROTOCOL.md 4.10
func TestServerStallsUnstamped(t *testing.T) {
	t.Parallel()
	for _, hz := range []int{60, 128, 250} {
		virtual(t, func(w *world) {
			s := w.listen()
			s.first().Socket = unstamped{s.first().Socket}
			hang := w.hangs(s)
			stop := w.play(hz, w.join(1))
			r := rand.New(rand.NewPCG(1, uint64(hz)))
			for range 12 {
				time.Sleep(time.Duration(r.Int64N(int64(3 * time.Second))))
				d := time.Duration(r.Int64N(int64(10 * time.Second)))
				hang(d)
				time.Sleep(d)
			}
			stop()
			time.Sleep(time.Second)
			w.unhurt()
		})
	}
}

// A step of the system's clock while the server stalls makes the stamps worthless,
// and revokes nobody.
func TestClockStepsInStall(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-time.Hour, -5 * time.Second, -time.Second, time.Second, 5 * time.Second, time.Hour} {
		virtual(t, func(w *world) {
			var off atomic.Int64
			s := w.listen()
			s.clock.wall = func() time.Time { return time.Now().Add(time.Duration(off.Load())).Round(0) }
			hang := w.hangs(s)
			stop := w.play(128, w.join(1))
			for range 5 {
				time.Sleep(time.Second)
				hang(6 * time.Second)
				time.Sleep(3 * time.Second)
				off.Store(int64(step) - off.Load())
				time.Sleep(3 * time.Second)
			}
			stop()
			time.Sleep(time.Second)
			w.unhurt()
		})
	}
}

// A level is loaded between Listen and the first Poll, and the players of the process
// before go on all the while.
func TestSlowStartAfterSnapshot(t *testing.T) {
	t.Parallel()
	for _, load := range []time.Duration{3 * time.Second, 9 * time.Second, 20 * time.Second} {
		virtual(t, func(w *world) {
			fleet := w.fleet(t)
			first := w.run(fleet)
			c := w.join(1)
			stop := w.play(128, c)
			time.Sleep(3 * time.Second)
			w.end(first, first.shutdown)
			w.serving.Wait()
			w.served = nil
			_, hang := w.hanging(fleet)
			hang(load)
			time.Sleep(load + 3*time.Second)
			stop()
			time.Sleep(time.Second)
			if got := w.revocations(); len(got) > 0 || c.Stats().Resumed > 0 {
				w.Errorf("after %v: revoked %v, %+v", load, got, c.Stats())
			}
		})
	}
}

// "After a stall a server MUST read what has queued before it judges any silence."
// PROTOCOL.md 4.10. Nor is it judged before a player could be heard again.
func TestNoTimeLimitAfterStall(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		_, hang := w.hanging()
		c := w.join(1, quietClient)
		time.Sleep(time.Second)
		w.net.Tap(func(from, _ netip.AddrPort, _ []byte) bool { return from != playerAddr(1) })
		hang(session.DefaultIdle)
		time.Sleep(session.DefaultIdle + time.Second/60)
		w.net.Tap(nil)
		synctest.Wait()
		time.Sleep(dtls.StallPatience / 2)
		if err := c.Send([]byte("here")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(dtls.StallPatience)
		w.unhurt()
		w.net.Tap(func(from, _ netip.AddrPort, _ []byte) bool { return from != playerAddr(1) })
		time.Sleep(session.DefaultIdle + 2*dtls.SweepInterval)
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonIdle {
			t.Errorf("a player who is silent without a stall: %v", left)
		}
	})
}

// One who stalls all the time has time limits still.
func TestSlowPolls(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		_, hang := w.hanging()
		w.join(1)
		w.net.Tap(func(from, _ netip.AddrPort, _ []byte) bool { return from != playerAddr(1) })
		for end := time.Now().Add(session.DefaultIdle + dtls.StallPause); time.Now().Before(end); {
			hang(dtls.StallTime)
			time.Sleep(dtls.StallTime + time.Second/30)
		}
		if left := w.match.left(); len(left) != 1 {
			t.Errorf("left: %v", left)
		}
	})
}

// hold keeps what a player sends from now on, and gives a function that delivers it,
// each datagram once and in order.
func (w *world) hold(addr netip.AddrPort) (release func()) {
	var mu sync.Mutex
	var kept [][]byte
	w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
		if from != addr {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		kept = append(kept, append([]byte(nil), b...))
		return false
	})
	return func() {
		w.net.Tap(nil)
		mu.Lock()
		defer mu.Unlock()
		for _, b := range kept {
			w.net.Inject(addr, serverAddr, b)
		}
	}
}

// "A server MUST NOT revoke a session whose client keeps to the rate that WELCOME
// states, whatever delays, stalls and bursts of up to 10 s there are on the way."
// PROTOCOL.md 4.10
func TestPathHoldsBack(t *testing.T) {
	t.Parallel()
	for _, hz := range []int{30, 60, 128, 250} {
		t.Run(fmt.Sprintf("%d Hz", hz), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				r := w.run()
				stop := w.play(hz, w.join(1))
				times := rand.New(rand.NewPCG(2, uint64(hz)))
				for i := range 12 {
					time.Sleep(time.Duration(times.Int64N(int64(4 * time.Second))))
					release := w.hold(playerAddr(1))
					if i%4 == 0 {
						time.Sleep(10 * time.Second)
					} else {
						time.Sleep(time.Duration(times.Int64N(int64(10 * time.Second))))
					}
					release()
				}
				stop()
				time.Sleep(time.Second)
				w.unhurt()
				w.end(r, r.Close)
			})
		})
	}
}

// "a bot that sends 800 state changes a second is out within 0.7 s, one that sends 2,000
// within 0.3 s, whatever it has sent steadily before" PROTOCOL.md 4.10, and within bounds
// when it has been silent.
func TestBotAfterPlay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		before int // inputs a second
		pause  time.Duration
		rate   int
		within time.Duration
	}{
		{0, 0, 800, 700 * time.Millisecond},
		{60, 0, 800, 700 * time.Millisecond},
		{128, 0, 800, 700 * time.Millisecond},
		{0, 0, 2000, 300 * time.Millisecond},
		{60, 0, 2000, 300 * time.Millisecond},
		{128, 0, 2000, 300 * time.Millisecond},
		{60, 10 * time.Second, 2000, 1700 * time.Millisecond},
		{60, time.Minute, 2000, 1700 * time.Millisecond},
		{60, time.Minute, 800, 5600 * time.Millisecond},
	} {
		virtual(t, func(w *world) {
			w.serve()
			w.match.mute = true
			c := w.join(1)
			if test.before > 0 {
				stop := w.play(test.before, c)
				time.Sleep(20 * time.Second)
				stop()
			}
			time.Sleep(test.pause)
			began, err := time.Now(), error(nil)
			for err == nil && time.Since(began) < time.Minute {
				time.Sleep(time.Second / time.Duration(test.rate))
				err = c.Send([]byte("bot"))
			}
			if took := time.Since(began); took > test.within {
				w.Errorf("%+v: out after %v: %v", test, took, err)
			}
		})
	}
}

// The same on real sockets: five players at 128 Hz, and one tick that takes 4.2 s.
func TestServerStallsOnSockets(t *testing.T) {
	t.Parallel()
	const stall = 4200 * time.Millisecond
	loopback(t, func(w *world) {
		s, hang := w.hanging()
		var clients []*Client
		for n := range 5 {
			clients = append(clients, w.join(n))
		}
		stop := w.play(128, clients...)
		time.Sleep(time.Second)
		hang(stall)
		time.Sleep(stall + time.Second)
		stop()
		time.Sleep(100 * time.Millisecond)
		w.unhurt()
		if n := s.Stats().Drops["rate"]; n > 0 {
			w.Errorf("%d inputs dropped for their rate", n)
		}
	})
}
