package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// network is an address in the i-th of some networks that no player comes from.
func network(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(10 + i), 5}), uint16(3000+i))
}

// dark is a line that is cut one way or both.
type dark struct{ up, down atomic.Bool }

// darken puts a line that can be cut between a client, wherever it is, and everybody else.
func (w *world) darken(c *Client) *dark {
	d := new(dark)
	w.net.Tap(func(from, to netip.AddrPort, _ []byte) bool {
		at := c.config.Conn.(*netsim.Conn).AddrPort()
		return (from != at || !d.up.Load()) && (to != at || !d.down.Load())
	})
	return d
}

// cut cuts the line for a time.
func (d *dark) cut(up, down bool, t time.Duration) {
	d.up.Store(up)
	d.down.Store(down)
	time.Sleep(t)
	d.up.Store(false)
	d.down.Store(false)
}

// keeps fails unless a player plays on, in the session that it began with, and nobody was put out.
func (w *world) keeps(s *stayer) {
	w.Helper()
	w.unharmed(s)
	for _, p := range w.match.players {
		if p.Session().Name() != w.match.players[0].Session().Name() {
			w.Error("it is another session")
		}
	}
	w.missing(s)
}

// "A lapse puts nobody out" PROTOCOL.md 4.9. An honest player moves from network to network, and the
// line is lost one way or both as soon as the last is reached: the player keeps the session. Where
// the line is away for longer than the idle time, the player may need another sign-in, and gets it.
func TestStepUpWhateverTheLine(t *testing.T) {
	t.Parallel()
	for moves := range 5 {
		for name, way := range map[string][2]bool{"both ways": {true, true}, "up": {true, false}, "down": {false, true}} {
			for _, length := range []int{0, 5, 10, 20, 29, 40} {
				if moves == 0 || length == 0 && name != "up" {
					continue
				}
				t.Run(fmt.Sprintf("%d moves, %d s %s", moves, length, name), func(t *testing.T) {
					t.Parallel()
					virtual(t, func(w *world) { w.movesAndLosesTheLine(moves, way[0], way[1], time.Duration(length)*time.Second) })
				})
			}
		}
	}
}

func (w *world) movesAndLosesTheLine(moves int, up, down bool, length time.Duration) {
	w.Helper()
	w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
	r := w.run()
	s := w.stay(1)
	line := w.darken(s.Client)
	time.Sleep(time.Second)
	for i := range moves {
		w.rebind(s.Client, network(i))
		time.Sleep(50 * time.Millisecond * time.Duration(1+i%2*20))
	}
	line.cut(up, down, length)
	time.Sleep(2 * session.DefaultIdle)
	s.rest()
	if err := s.progress.over(); length < session.DefaultIdle || err == nil {
		w.keeps(s)
	} else {
		var closed *CloseError
		if !errors.Is(err, ErrTimeout) && !(errors.As(err, &closed) && closed.Reason == wire.ReasonIdle) {
			w.Errorf("over: %v", err)
		}
		again := w.stay(1, func(c *ClientConfig) { c.Conn = w.socket(network(moves)) })
		time.Sleep(time.Second)
		w.unharmed(again)
		again.quit()
	}
	w.net.Tap(nil)
	w.quit(r, s)
}

// Whatever the order in which a player moves, comes back, loses the line one way or both for less than
// the idle time, and is handed on to another process: it keeps the session. What fails is played again
// by its name, such as TestStepUpAnyOrder/23.
func TestStepUpAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range 2 * *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				chance := rand.New(rand.NewPCG(seed, 3))
				upTo := func(most int) time.Duration { return time.Duration(chance.IntN(most)) * time.Millisecond }
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				fleet := w.fleet(t)
				r := w.run(fleet)
				s := w.stay(1)
				line := w.darken(s.Client)
				time.Sleep(time.Second)
				for range 15 {
					switch chance.IntN(6) {
					case 0, 1, 2:
						if to := network(chance.IntN(4)); to != s.config.Conn.(*netsim.Conn).AddrPort() {
							w.rebind(s.Client, to)
						}
						time.Sleep(upTo(300))
					case 3, 4:
						line.cut(chance.IntN(3) > 0, chance.IntN(3) > 0, upTo(24000))
						time.Sleep(5 * time.Second) // else the silence of two cuts may be longer than the idle time
					case 5:
						w.end(r, r.shutdown)
						r = w.run(fleet)
					}
				}
				time.Sleep(20 * time.Second)
				s.rest()
				w.keeps(s)
				w.net.Tap(nil)
				w.quit(r, s)
			})
		})
	}
}

// A line that comes and goes, so that the player cannot answer in any of its silences, nor in what it
// hears without being heard.
func TestStepUpLineFlaps(t *testing.T) {
	t.Parallel()
	for name, way := range map[string][2]bool{"both ways": {true, true}, "up": {true, false}, "down": {false, true}} {
		for _, length := range []time.Duration{2500 * time.Millisecond, 6 * time.Second, 14 * time.Second} {
			t.Run(fmt.Sprint(name, " ", length), func(t *testing.T) {
				t.Parallel()
				virtual(t, func(w *world) {
					w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
					r := w.run()
					s := w.stay(1)
					line := w.darken(s.Client)
					time.Sleep(time.Second)
					w.rebind(s.Client, network(0))
					time.Sleep(50 * time.Millisecond)
					for range 6 {
						line.cut(way[0], way[1], length)
						time.Sleep(30 * time.Millisecond) // less than a round trip
					}
					time.Sleep(session.DefaultIdle / 2)
					s.rest()
					if s.progress.over() == nil || length*6 < session.DefaultIdle {
						w.keeps(s)
					} else if !errors.Is(s.progress.over(), ErrTimeout) {
						w.Errorf("over: %v", s.progress.over())
					}
					w.net.Tap(nil)
					w.quit(r, s)
				})
			})
		}
	}
}

// "A client whose ticket is refused with reason 9 SHOULD fetch a fresh identity token and show it beside
// the ticket on its next connection", and "SHOULD NOT show a token before it is asked" PROTOCOL.md 8.3.
// A player who hears nothing of a step up is back a moment after the line, and has asked for no more
// tokens than it needs.
func TestStepUpUnheard(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		var x exchanges
		r, s, asked := w.lapsesUnheard(func(c *Config) { c.OnExchange = x.add })
		time.Sleep(attemptTime + time.Second)
		if n := asked.Load(); n != 2 {
			w.Errorf("%d identity tokens were asked for", n)
		}
		w.keeps(s)
		if s.since() > 2*frame || w.audits(audit.Close) != 1 || w.audits(audit.Resume) != 1 {
			w.Errorf("last snapshot %v ago, %d ends, %d resumed", s.since(), w.audits(audit.Close), w.audits(audit.Resume))
		}
		var all []string
		for _, e := range x.all() {
			all = append(all, words(e))
		}
		for _, want := range []string{
			"handshake ok, resume fingerprint fingerprint network",
			"handshake ok, resume ok, verification ok",
		} {
			if !slices.Contains(all, want) {
				w.Errorf("no exchange %q in %q", want, all)
			}
		}
		time.Sleep(time.Minute)
		if n := w.audits(audit.Renew) + w.audits(audit.StepUp); n != 1 {
			w.Errorf("%d renewals and step ups", n)
		}
		w.keeps(s)
		w.net.Tap(nil)
		w.quit(r, s)
	})
}

// "Once it has shown one it MUST wait 6.5 s for the verdict." PROTOCOL.md 8.3
func TestStepUpVerdictTakesLong(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		r, s, asked := w.lapsesUnheard(func(c *Config) { c.Verifier = slowVerifier{c.Verifier} })
		time.Sleep(attemptTime + 5*time.Second)
		if n := asked.Load(); n != 2 || w.audits(audit.Resume) != 1 {
			w.Errorf("%d identity tokens were asked for, resumed %d times", n, w.audits(audit.Resume))
		}
		w.keeps(s)
		w.net.Tap(nil)
		w.quit(r, s)
	})
}

// lapsesUnheard is a player who moves and whose line then brings nothing to it, until a step up has
// lapsed. asked counts the player's identity tokens.
func (w *world) lapsesUnheard(configure func(*Config)) (r *running, s *stayer, asked *atomic.Int32) {
	w.Helper()
	asked = new(atomic.Int32)
	w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
	r = w.run(configure)
	s = w.stay(1, func(c *ClientConfig) {
		mint := c.Token
		c.Token = func(ctx context.Context) ([]byte, error) { asked.Add(1); return mint(ctx) }
	})
	line := w.darken(s.Client)
	time.Sleep(time.Second)
	w.rebind(s.Client, network(0))
	for w.audits(audit.Migrate) == 0 {
		time.Sleep(time.Millisecond)
	}
	line.cut(false, true, 15*time.Second) // before the first NOTICE
	return r, s, asked
}

// A thief at another network with all that a player's client has, and no fresh token, is out for good
// when the time of the step up and one idle time are over, however silent it is meanwhile.
func TestThiefFallsSilent(t *testing.T) {
	t.Parallel()
	for _, silence := range []time.Duration{0, 1900 * time.Millisecond, 2500 * time.Millisecond, 9 * time.Second, 29 * time.Second} {
		t.Run(silence.String(), func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				r := w.run()
				s := w.stay(1, func(c *ClientConfig) { c.Token = w.once(grantFor(1)) })
				line := w.darken(s.Client)
				time.Sleep(time.Second)
				w.rebind(s.Client, network(0))
				out := time.Now().Add(10*time.Second + session.DefaultIdle + 2*time.Second)
				for time.Now().Before(out) {
					time.Sleep(200 * time.Millisecond)
					line.cut(true, false, silence)
				}
				in, heard := w.match.total(), s.got.Load()
				time.Sleep(2 * session.DefaultIdle)
				if n := w.match.total(); in == 0 || n != in || s.got.Load() != heard {
					t.Errorf("%d inputs, then %d; %d snapshots, then %d", in, n, heard, s.got.Load())
				}
				if err := s.progress.over(); err == nil {
					t.Error("the thief plays on")
				}
				w.net.Tap(nil)
				w.quit(r, s)
			})
		})
	}
}

// total is how many payloads have come.
func (m *match) total() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, times := range m.got {
		n += times
	}
	return n
}
