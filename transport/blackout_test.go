package transport

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// within is how soon after its path's return a player goes on, at a round trip of
// 100 ms.
const within = time.Second

// blackout is 10 s in which nothing passes, and what else may have happened when the
// path returns. Whatever it is, the player goes on with the same session within a
// second.
func TestBlackout(t *testing.T) {
	t.Parallel()
	const latency = 50 * time.Millisecond
	for name, test := range map[string]struct {
		meanwhile func(w *world, r *running, s *stayer, fleet func(*Config)) *running
		resumed   int // by another connection
	}{
		"the path returns": {func(_ *world, r *running, _ *stayer, _ func(*Config)) *running { return r }, 0},
		"as another port": {func(w *world, r *running, s *stayer, _ func(*Config)) *running {
			w.rebind(s.Client, neighbour(1))
			return r
		}, 0},
		"as another network": {func(w *world, r *running, s *stayer, _ func(*Config)) *running {
			w.rebind(s.Client, elsewhere)
			return r
		}, 0},
		"to a server that has forgotten": {func(w *world, r *running, _ *stayer, fleet func(*Config)) *running {
			w.end(r, r.Close)
			return w.run(fleet)
		}, 1},
		"as another port, to a server that has forgotten": {func(w *world, r *running, s *stayer, fleet func(*Config)) *running {
			w.end(r, r.Close)
			w.rebind(s.Client, neighbour(1))
			return w.run(fleet)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				fleet := w.fleet(t)
				r := w.run(fleet)
				s := w.stay(1)
				time.Sleep(2 * time.Second)
				sessionName := w.match.player(0).Session().Name()
				w.net.SetImpairment(netsim.Impairment{Latency: latency, Loss: 1})
				time.Sleep(5 * time.Second)
				r = test.meanwhile(w, r, s, fleet)
				time.Sleep(5 * time.Second)
				if s.told(EventLost) != 1 {
					t.Errorf("the client noticed nothing: %+v", s.events)
				}
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				before := s.got.Load()
				time.Sleep(within)
				if n := s.got.Load() - before; n == 0 || s.since() > 2*frame {
					t.Errorf("%d snapshots in the second after, the last one %v ago", n, s.since())
				}
				sent := s.sent.Load()
				time.Sleep(20 * time.Second) // a step up is over
				s.rest()
				for i := sent; i < s.sent.Load(); i++ {
					if w.match.count(input(1, i)) != 1 {
						t.Errorf("input %d came %d times", i, w.match.count(input(1, i)))
					}
				}
				w.missing(s)
				if n := s.told(EventResumed); n != test.resumed || w.audits(audit.Resume) != test.resumed {
					t.Errorf("resumed %d times, %d on record; want %d", n, w.audits(audit.Resume), test.resumed)
				}
				last := w.match.player(test.resumed)
				if last.Session().Name() != sessionName {
					t.Errorf("it is another session")
				}
				// A server that has not known the session does not know either what it has missed.
				if st := s.Stats(); int(st.Resumed) != test.resumed || (st.LostIn < 250 || st.LostOut < 250) != (test.resumed > 0) {
					t.Errorf("%+v", st)
				}
				w.quit(r, s)
			})
		})
	}
}

// "Resume on a new connection: ≤ 4 round trips, the DTLS cookie's included, and no
// identity provider."
func TestResumeRoundTrips(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		const rtt = 100 * time.Millisecond
		w.net.SetImpairment(netsim.Impairment{Latency: rtt / 2})
		fleet := w.fleet(t)
		first := w.serve(fleet)
		asked := 0
		c := w.dial(1, quietClient, func(c *ClientConfig) {
			mint := c.Token
			c.Token = func(ctx context.Context) ([]byte, error) { asked++; return mint(ctx) }
		})
		first.Close()
		w.serve(fleet)
		start := time.Now()
		w.disconnect(c)
		for c.Stats().Resumed == 0 && time.Since(start) < 10*time.Second {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(start); d > 4*rtt+time.Millisecond {
			t.Errorf("resumed after %v", d)
		}
		w.echo(c, "hello")
		if asked != 1 {
			t.Errorf("%d identity tokens were asked for", asked)
		}
	})
}

// disconnect has a client believe that the server has closed its connection.
func (w *world) disconnect(c *Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.resumption.disconnected = true
	c.tick(time.Now())
}

// A session outlives its connection again and again, on the same port: its player
// stays the same player, and nobody joins or leaves.
func TestResumeAgainAndAgain(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1)
		time.Sleep(time.Second)
		p := w.match.player(0)
		for range 10 {
			w.disconnect(s.Client)
			time.Sleep(time.Second)
		}
		s.rest()
		if lost := w.missing(s); lost != 0 {
			t.Errorf("%d inputs are lost although the path is good", lost)
		}
		if st := s.Stats(); st.Resumed != 10 || st.LostIn != 0 || st.LostOut != 0 {
			t.Errorf("%+v", st)
		}
		if w.match.joined() != 1 || len(w.match.left()) != 0 || p != w.match.player(0) {
			t.Errorf("%d joined, left: %v", w.match.joined(), w.match.left())
		}
		st := r.Stats()
		if st.Sessions != 1 || len(st.Drops) != 0 || r.first().Holdings().Conns != 1 || r.first().Holdings().IDs != 1 {
			t.Errorf("%+v, %d connections, %d connection ids", st, r.first().Holdings().Conns, r.first().Holdings().IDs)
		}
		w.quit(r, s)
	})
}

// What has kept an attempt from succeeding is no cause of a later end, once the path has come back by itself.
func TestFormerTroubleIsForgotten(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1)
		time.Sleep(time.Second)
		c := s.Client
		c.mu.Lock()
		c.state.resumption.failed, c.state.resumption.refusal = ErrHandshake, &CloseError{Reason: session.ReasonFingerprint}
		c.mu.Unlock()
		time.Sleep(time.Second)
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		time.Sleep(2 * time.Minute)
		if _, err := c.Receive(t.Context(), make([]byte, MaxPayload)); !errors.Is(err, ErrTimeout) || errors.Is(err, ErrHandshake) {
			t.Errorf("the session has ended by %v, want %v", err, ErrTimeout)
		}
		w.quit(r, s)
	})
}

// "An end MUST NOT protect more than 2^24 records with one key; before that the client MUST open a
// new connection." PROTOCOL.md 9.5. Nobody notices: nothing is lost on either side.
func TestKeysUsedUp(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1)
		s.Client.mu.Lock()
		s.state.resumption.rekeyAt = 150 // five seconds
		s.Client.mu.Unlock()
		time.Sleep(60 * time.Second)
		s.rest()
		if lost := w.missing(s); lost != 0 {
			t.Errorf("%d inputs are lost", lost)
		}
		if st := s.Stats(); st.Resumed < 9 || st.LostIn != 0 || st.LostOut != 0 {
			t.Errorf("%+v", st)
		}
		if n := s.told(EventLost); n != 0 {
			t.Errorf("%d times the path was lost", n)
		}
		w.quit(r, s)
	})
}

// "A DTLS close_notify, and silence, end only the connection." PROTOCOL.md 5.5
func TestCloseNotifyEndsTheConnection(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		c := w.dial(1, quietClient)
		w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool { return b[0] != byte(record.Handshake) }) // not yet
		c.mu.Lock()
		c.state.conns.current.closeNotify()
		c.mu.Unlock()
		synctest.Wait()
		w.quiet()
		if err := w.match.player(0).Send([]byte("to nobody")); err == nil {
			t.Error("a closed connection takes payloads")
		}
		w.net.Tap(nil)
		time.Sleep(time.Second)
		w.echo(c, "here again")
		c.Close()
		synctest.Wait()
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonLeft {
			t.Errorf("left: %v", left)
		}
	})
}

// Without tickets everything is as if there were none: the server says so by giving
// none, and a lost path ends the session by silence.
func TestWithoutTickets(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve(func(c *Config) { c.Session.FleetKeys = new(fleetkey.Ring) })
		var last atomic.Pointer[ClientEvent]
		c := w.dial(1, func(c *ClientConfig) { c.OnEvent = func(e ClientEvent) { last.Store(&e) } })
		w.echo(c, "hello")
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		start := time.Now()
		if err := w.ending(c); err != ErrTimeout || time.Since(start) < session.DefaultIdle {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if e := last.Load(); e.Kind != EventClosed || e.Err != ErrTimeout || e.Reason != 0 {
			t.Errorf("told of %+v", e)
		}
		if n := w.server.Stats().Handshakes.Started; n != 1 {
			t.Errorf("%d handshakes", n)
		}
	})
}
