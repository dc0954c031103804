package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// playing has both servers of a pair send to their players each frame. The function ends it.
func (p *pair) playing() (end func()) {
	done, wg := make(chan struct{}), sync.WaitGroup{}
	for _, s := range []*Server{p.server, p.other.server} {
		wg.Go(func() {
			for ticker := time.NewTicker(frame); ; {
				select {
				case <-done:
					ticker.Stop()
					return
				case <-ticker.C:
					_ = s.Broadcast(append(binary.BigEndian.AppendUint64(nil, snapshots.Add(1)), 0))
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

// mutePair is a pair whose matches send each frame and nothing else.
func mutePair(w *world, place netip.AddrPort, address string, configure ...func(*Config)) *pair {
	w.match.mute = true
	configure = append(configure, func(c *Config) { c.Sources = policy.SourceConfig{PerSecond: 1e6, Burst: 1e6, Unproven: 1e3} })
	p := newPairAt(w, place, address, 0, configure...)
	p.other.match.mute = true
	return p
}

// drains drains the first server to an address, for as long as limit.
func (p *pair) drains(to string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(p.Context(), limit)
	defer cancel()
	return p.server.Drain(ctx, to)
}

// there is the other server's address.
func (p *pair) there() string { return p.other.server.Addr().String() }

var secondPlace = netip.MustParseAddrPort("10.0.0.2:7777")

// "where host is the name of a host, an IPv4 address or an IPv6 address in brackets" PROTOCOL.md 3.10:
// a hundred players of a server that is drained resume on the other one, nobody signs in, and nobody
// plays a second without a snapshot. "it resumes there by its ticket, as in section 8.3, from
// the socket that it has, while the session goes on where it is" PROTOCOL.md 8.6
func TestDrainMovesPlayers(t *testing.T) {
	run := func(players int, w *world, place netip.AddrPort, address string, to func(*pair) string) {
		if w.net != nil {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Loss: 0.01})
		}
		p := mutePair(w, place, address)
		defer p.end()
		defer p.playing()()
		stayers := p.stayAll(players)
		time.Sleep(time.Second)
		for _, s := range stayers {
			s.longest.Store(0)
		}
		began := time.Now()
		if err := p.drains(to(p), 30*time.Second); err != nil {
			p.Errorf("the drain ends with %v; %d players are left", err, p.server.Stats().Sessions)
		}
		took := time.Since(began)
		time.Sleep(time.Second)
		var gaps []time.Duration
		for _, s := range stayers {
			if n := s.Stats().Resumed; n != 1 || s.told(EventClosed) != 0 || w.net != nil && (s.told(EventLost) != 0 || s.since() > 3*frame) {
				p.Errorf("player %d has resumed %d times, last snapshot %v ago: %+v", s.number, n, s.since(), s.events)
			}
			gaps = append(gaps, time.Duration(s.longest.Load()))
		}
		slices.Sort(gaps)
		limit := time.Second
		if w.net == nil {
			limit = 5 * time.Second // under the race detector, on a busy machine
		}
		if gaps[(players*99-1)/100] > limit {
			p.Errorf("gaps between snapshots: p99 %v", gaps[(players*99-1)/100])
		}
		p.Logf("%d players in %v; gaps: median %v, p99 %v, longest %v", players, took.Round(time.Millisecond), gaps[players/2], gaps[(players*99-1)/100], gaps[players-1])
		here, there := p.server.Stats(), p.other.server.Stats()
		if here.Sessions != 0 || there.Sessions != players || p.other.audited("accept") != 0 || p.other.audited("resume") != players {
			p.Errorf("%d sessions here, %d there, of which %d have signed in and %d resumed", here.Sessions, there.Sessions, p.other.audited("accept"), p.other.audited("resume"))
		}
		for _, reason := range p.match.left() {
			if reason != session.ReasonReplaced {
				p.Errorf("a player has left with %v", reason)
			}
		}
		for _, s := range stayers {
			s.quit()
		}
	}
	literal := func(p *pair) string { return p.there() }
	t.Run("virtual", func(t *testing.T) {
		virtual(t, func(w *world) { run(100, w, secondPlace, "", literal) })
	})
	t.Run("virtual, IPv6", func(t *testing.T) {
		virtual(t, func(w *world) { run(20, w, netip.MustParseAddrPort("[2001:db8::2]:7777"), "", literal) })
	})
	t.Run("loopback", func(t *testing.T) {
		loopback(t, func(w *world) { run(25, w, secondPlace, "127.0.0.1:0", literal) })
	})
}

// "With WELCOME from there it sends CLOSE with reason 18 on the former connection, and again in answer
// to a NOTICE that still comes on it: in place of the copies of section 5.5." PROTOCOL.md 8.6: so the
// drain is over at once, or, where that is lost, with the next NOTICE.
func TestDrainIsOver(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"at once": false, "with the next notice": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				const latency = 20 * time.Millisecond
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				p := mutePair(w, secondPlace, "")
				defer p.end()
				defer p.playing()()
				s := p.stay(1)
				s.stop() // or what it sends could be taken for the CLOSE
				size := record.Overhead + wire.HeaderLen + len(wire.CloseBody{}.AppendTo(nil))
				var mu sync.Mutex
				var closes []time.Time
				w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
					if from != playerAddr(1) || to != serverAddr || len(b) != size {
						return true
					}
					mu.Lock()
					defer mu.Unlock()
					closes = append(closes, time.Now())
					return !lost || len(closes) > 1
				})
				var gone atomic.Int64
				go func() {
					for s.told(EventResumed) == 0 {
						time.Sleep(time.Millisecond)
					}
					gone.Store(time.Now().UnixNano())
				}()
				began := time.Now()
				if err := p.drains(p.there(), 8*time.Second); err != nil {
					p.Error(err)
				}
				over := time.Now()
				w.net.Tap(nil)
				between := func(what string, took, least, most time.Duration) {
					if took < least || took > most {
						p.Errorf("%s after %v, want %v to %v", what, took, least, most)
					}
				}
				if len(closes) < 2 && (lost || len(closes) < 1) {
					p.Fatalf("%d datagrams with CLOSE", len(closes))
				}
				between("the player says goodbye", closes[0].Sub(time.Unix(0, gone.Load())), -time.Millisecond, 0)
				last := closes[0]
				if lost {
					last = closes[1]
					between("it says so again", last.Sub(closes[0]), 0, drainRepeat)
					between("a notice is answered", last.Sub(began)%drainRepeat, latency, latency+time.Millisecond)
				}
				between("the drain is over", over.Sub(last), latency, latency+2*drainLook)
				s.quit()
			})
		})
	}
}

// "A close_notify does not say so: after one the session waits, whatever destination the server has
// named." PROTOCOL.md 8.6: a browser whose WebSocket breaks, for which its relay says close_notify, comes
// back here, and is the same player.
func TestDrainAndCloseNotify(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"during the drain": time.Second, "after it": 15 * time.Second} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				p := mutePair(w, secondPlace, "")
				defer p.end()
				page, err := w.page(1, w.server.pin())
				if err != nil {
					p.Fatal(err)
				}
				page.join(1)
				drained := make(chan error, 1)
				go func() { drained <- p.drains("10.9.9.9:7777", 2*time.Second) }()
				time.Sleep(wait)
				page.close()
				time.Sleep(200 * time.Millisecond)
				page = page.again(2)
				defer page.close()
				page.send(wire.KindData, []byte("here again"))
				if err := <-drained; !errors.Is(err, context.DeadlineExceeded) {
					p.Error(err)
				}
				synctest.Wait()
				if left := w.match.left(); len(left) != 0 || w.match.joined() != 1 || w.match.count("here again") != 1 {
					p.Errorf("left: %v, joined: %d, heard: %d", left, w.match.joined(), w.match.count("here again"))
				}
			})
		})
	}
}

// "It resolves a name itself." PROTOCOL.md 8.6: in the background, and the addresses take turns.
func TestDrainToName(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"localhost": "127.0.0.1:0", "[::1]": "[::1]:0"} {
		t.Run(name, func(t *testing.T) {
			if l, err := net.ListenPacket("udp", address); err != nil {
				t.Skip("this machine has no address", address)
			} else {
				_ = l.Close()
			}
			loopback(t, func(w *world) {
				p := mutePair(w, secondPlace, address)
				defer p.end()
				defer p.playing()()
				s := p.stay(1)
				if err := p.drains(fmt.Sprintf("%s:%d", name, p.other.server.Addr().Port()), 10*time.Second); err != nil {
					p.Error(err)
				}
				if time.Sleep(100 * time.Millisecond); s.Stats().Resumed != 1 || s.told(EventClosed) != 0 {
					p.Errorf("%+v, %v", s.Stats(), s.events)
				}
				s.quit()
			})
		})
	}
}

// plays fails unless a player plays where it was, and has never been anywhere else.
func (p *pair) plays(s *stayer, what string) {
	p.Helper()
	if s.Stats().Resumed != 0 || s.told(EventLost)+s.told(EventClosed)+s.told(EventResumed) != 0 || s.since() > 3*frame {
		p.Errorf("%s: %+v, %+v", what, s.Stats(), s.events)
	}
	if n := p.other.audited("resume") + p.other.audited("accept"); n != 0 {
		p.Errorf("%s: the other server has let %d in", what, n)
	}
}

// shutDown fails unless a player whom nobody has taken is told within a while that the server shuts
// down, as without a destination.
func (p *pair) shutDown(s *stayer, what string, within time.Duration) {
	p.Helper()
	began := time.Now()
	if err := p.server.Shutdown(p.Context()); err != nil {
		p.Error(what, err)
	}
	p.closed(p.ending(s.Client), wire.ReasonShutdown)
	if took := time.Since(began); took > within {
		p.Errorf("%s: the player learns it after %v", what, took)
	}
	s.quit()
}

// "who answers there MUST show a certificate for the name, or with the pin, that the client has
// demanded when it signed in. Nothing that a server says changes either." PROTOCOL.md 8.6
func TestDrainToStranger(t *testing.T) {
	t.Parallel()
	stranger := func(p *pair) { // of the fleet, as far as keys and tokens go
		if err := p.other.server.SetCertificate(*testkit.NewAuthority(p.T).Server(p)); err != nil {
			p.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare func(*pair)
		client  func(*pair) func(*ClientConfig)
	}{
		"authority": {stranger, func(*pair) func(*ClientConfig) { return func(*ClientConfig) {} }},
		"pin": {func(*pair) {}, func(p *pair) func(*ClientConfig) { // the certificates of the two differ
			pin := thumbprint(p.server.certificate.Load().Certificate[0])
			return func(c *ClientConfig) { c.Pin = &pin }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				p := mutePair(w, secondPlace, "")
				defer p.end()
				defer p.playing()()
				c.prepare(p)
				s := p.stay(1, c.client(p))
				if err := p.drains(p.there(), 20*time.Second); !errors.Is(err, context.DeadlineExceeded) {
					p.Error(err)
				}
				p.plays(s, name)
				if n := p.other.server.Stats().Handshakes.Failed; n == 0 {
					p.Error("the other server was not asked")
				}
				p.shutDown(s, name, redirectLeast+time.Second)
			})
		})
	}
}

// "If it is refused there, or finds nobody, the session goes on where it is, and ends as it would have
// without a destination." PROTOCOL.md 8.6
func TestDrainInVain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to      string
		there   func(*Config)
		allowed time.Duration
	}{
		"nobody": {to: "10.9.9.9:7777", allowed: redirectLeast + time.Second},
		"full":   {there: func(c *Config) { c.Session.MaxSessions = -1 }, allowed: redirectLeast + time.Second},
		"refused": {there: func(c *Config) {
			c.Session.Authorize = func(*session.Admission) error { return session.Refusal(session.ReasonScope) }
		}, allowed: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				first := true
				p := mutePair(w, secondPlace, "", func(config *Config) {
					if !first && c.there != nil {
						c.there(config)
					}
					first = false
				})
				defer p.end()
				defer p.playing()()
				s := p.stay(1)
				to := c.to
				if to == "" {
					to = p.there()
				}
				if err := p.drains(to, 15*time.Second); !errors.Is(err, context.DeadlineExceeded) {
					p.Error(err)
				}
				p.plays(s, name)
				p.shutDown(s, name, c.allowed)
			})
		})
	}
}

// "A client MUST ignore any other detail" PROTOCOL.md 3.10. It goes nowhere without a ticket.
func TestDrainIgnored(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		p := mutePair(w, secondPlace, "")
		defer p.end()
		defer p.playing()()
		s := p.stay(1)
		for _, detail := range []string{"", "shutting down", "10.0.0.2", ":7777", "10.0.0.2:0", "0.0.0.0:7777", "[::]:7777", "10.0.0.2:x", serverAddr.String()} {
			p.server.redirect(detail, 5000)
			time.Sleep(time.Second)
		}
		p.plays(s, "malformed")
		for _, e := range s.events {
			if e.Kind == EventNotice && e.To != "" && e.To != serverAddr.String() {
				p.Errorf("%+v", e)
			}
		}
		for _, to := range []string{"", "here", "10.0.0.2:0", strings.Repeat("a", 61) + ":7777"} {
			if err := p.server.Drain(p.Context(), to); !errors.Is(err, ErrConfig) {
				p.Errorf("Drain to %q: %v", to, err)
			}
		}
		s.quit()
	})
	virtual(t, func(w *world) { // no fleet key, no ticket
		w.serve()
		c := w.dial(1)
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		defer cancel()
		if err := w.server.Drain(ctx, "10.0.0.2:7777"); !errors.Is(err, context.DeadlineExceeded) {
			w.Error(err)
		}
		w.echo(c, "still here")
	})
}

// "A server that shuts down names the destination again in the NOTICE before the CLOSE. For a client
// that is on its way, a CLOSE with reason 2 does not end the session for 10 s." PROTOCOL.md 8.6
func TestShutdownToDestination(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		p := mutePair(w, secondPlace, "")
		defer p.end()
		defer p.playing()()
		stayers := p.stayAll(20)
		if err := p.drains(p.there(), time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			p.Error(err)
		}
		if err := p.server.Shutdown(p.Context()); err != nil {
			p.Error(err)
		}
		time.Sleep(3 * time.Second)
		for _, s := range stayers {
			if s.Stats().Resumed != 1 || s.told(EventClosed) != 0 || s.since() > 3*frame || time.Duration(s.longest.Load()) > time.Second {
				p.Errorf("player %d: gap %v, %+v, %+v", s.number, time.Duration(s.longest.Load()), s.Stats(), s.events)
			}
			s.quit()
		}
	})
}

// The other server starts when this one has already gone: "for at least 10 s" PROTOCOL.md 8.6
func TestDrainToLateServer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		var deafUntil time.Time
		p := mutePair(w, secondPlace, "")
		defer p.end()
		defer p.playing()()
		s := p.stay(1)
		deafUntil = time.Now().Add(6 * time.Second)
		w.net.Tap(func(_, to netip.AddrPort, _ []byte) bool { return to != secondPlace || time.Now().After(deafUntil) })
		_ = p.drains(p.there(), time.Second)
		if err := p.server.Shutdown(p.Context()); err != nil {
			p.Error(err)
		}
		if time.Sleep(10 * time.Second); s.Stats().Resumed != 1 || s.since() > 3*frame || s.told(EventClosed) != 0 {
			p.Errorf("%+v, %+v", s.Stats(), s.events)
		}
		s.quit()
	})
}

// closedAmidResumption has a server close that has sent its player to a place where nobody is, while the
// player is being asked in at a third one, to which the client was on its way because it heard nothing.
func closedAmidResumption(t *testing.T, check func(p *pair, s *stayer), configure ...func(*Config)) {
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		p := mutePair(w, secondPlace, "", configure...)
		defer p.end()
		defer p.playing()()
		s := p.stay(1)
		known := []netip.AddrPort{serverAddr, secondPlace}
		s.Client.mu.Lock()
		s.state.addresses = addresses{place: udp.Place{Addr: known}, known: known}
		s.Client.mu.Unlock()
		p.server.redirect("10.9.9.9:7777", 5000)
		time.Sleep(100 * time.Millisecond)
		var shown, closed atomic.Bool
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			data := b[0] == byte(record.ApplicationData)
			if to == secondPlace && data {
				shown.Store(true)
			}
			return (from != serverAddr || shown.Load()) && (from != secondPlace || !data || closed.Load())
		})
		p.await("a HELLO to the other server", shown.Load)
		if err := p.server.Shutdown(w.Context()); err != nil {
			p.Error(err)
		}
		closed.Store(true)
		time.Sleep(time.Second)
		check(p, s)
		w.net.Tap(nil)
		s.quit()
	})
}

// "If the client is refused there then, or the time is over, the session has ended by that CLOSE."
// PROTOCOL.md 8.6. It has not, if it goes on at a third server.
func TestDrainInVainButResumed(t *testing.T) {
	t.Parallel()
	closedAmidResumption(t, func(p *pair, s *stayer) {
		if s.Stats().Resumed != 1 || s.told(EventClosed) != 0 {
			p.Fatalf("%+v, %+v", s.Stats(), s.events)
		}
		time.Sleep(redirectLeast + time.Second)
		if s.Stats().Resumed != 1 || s.since() > 3*frame || s.told(EventClosed) != 0 {
			p.Errorf("%+v, %+v", s.Stats(), s.events)
		}
	})
}

// "For a client that is on its way, a CLOSE with reason 2 does not end the session for 10 s."
// PROTOCOL.md 8.6. Nor does a refusal at a third server after it.
func TestDrainRefusedElsewhere(t *testing.T) {
	t.Parallel()
	joined := new(atomic.Bool)
	closedAmidResumption(t, func(p *pair, s *stayer) {
		if p.other.server.Stats().Refusals["match"] != 1 || s.told(EventClosed) != 0 {
			p.Errorf("%v, %+v", p.other.server.Stats().Refusals, s.events)
		}
		time.Sleep(redirectLeast)
		p.closed(s.progress.over(), session.ReasonShutdown)
	}, func(c *Config) {
		c.Session.Authorize = func(*session.Admission) error {
			if joined.Swap(true) {
				return session.Refusal(session.ReasonScope)
			}
			return nil
		}
	})
}

// "A client MUST NOT follow more than 8 destinations in 10 minutes: servers that send a player to each
// other do so a few times, and the player plays on." PROTOCOL.md 8.6
func TestDrainHops(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		p := mutePair(w, secondPlace, "")
		defer p.end()
		defer p.playing()()
		s := p.stay(1)
		ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for _, way := range [][2]*Server{{p.server, p.other.server}, {p.other.server, p.server}} {
			wg.Go(func() {
				for ctx.Err() == nil {
					_ = way[0].Drain(ctx, way[1].Addr().String())
					time.Sleep(time.Millisecond) // nobody plays there
				}
			})
		}
		wg.Wait()
		if n := s.Stats().Resumed; n != maxHops || s.told(EventClosed)+s.told(EventLost) != 0 || s.since() > 3*frame {
			p.Errorf("moved %d times: %+v", n, s.events)
		}
		time.Sleep(hopTime)
		ctx, cancel = context.WithTimeout(p.Context(), 10*time.Second)
		defer cancel()
		from, to := p.server, p.other.server
		if from.Stats().Sessions == 0 {
			from, to = to, from
		}
		if err := from.Drain(ctx, to.Addr().String()); err != nil || s.Stats().Resumed != maxHops+1 {
			p.Errorf("after a while: %v, %+v", err, s.Stats())
		}
		s.quit()
	})
}
