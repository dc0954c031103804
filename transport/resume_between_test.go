package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// replaceLine has a client make another connection although its path is good.
func (s *stayer) replaceLine() {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	s.state.resumption.rekeyAt = max(s.state.conns.current.record.Sealed(), s.state.conns.current.record.Opened()) // used up
	s.tick(time.Now())
}

// isWelcome says whether a datagram is one, by its length.
func isWelcome(from netip.AddrPort, b []byte) bool {
	return from == serverAddr && b[0] == byte(record.ApplicationData) && len(b) > 300
}

// isRefusal says whether one is the answer to a ticket that does not do, by its length.
func isRefusal(b []byte) bool {
	return b[0] == byte(record.ApplicationData) && len(b) == record.Overhead+wire.HeaderLen+len(wire.CloseBody{}.AppendTo(nil))
}

// "Until then the session lives on the old connection": however many others are begun
// from the same address and come to nothing, because their WELCOME is lost or because
// the ticket is refused.
func TestOldConnectionGoesOn(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]bool{"WELCOMEs lost": false, "then refused": true} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				share, retire := w.keyed()
				r := w.run(share)
				s := w.stay(1)
				time.Sleep(time.Second)
				w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { return !isWelcome(from, b) })
				s.replaceLine()
				time.Sleep(1400 * time.Millisecond)
				if refuse {
					retire()
				}
				time.Sleep(10 * time.Second)
				s.rest()
				if st := s.Stats(); w.missing(s) != 0 || st.LostIn != 0 || st.Resumed != 0 || s.progress.over() != nil {
					t.Errorf("%d inputs are lost: %+v, server %+v", w.missing(s), st, r.Stats())
				}
				s.quit()
				time.Sleep(helloTime + lingerTime + 2*dtls.SweepInterval)
				w.quit(r)
				if n := r.first().Holdings().Conns; n != 0 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

// "The UDP payload has 1 to 1,200 bytes; else drop `size`." PROTOCOL.md 4.1, and so does a client that
// makes another connection beside the one that it plays on.
func TestEmptyWhileReconnecting(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r, s := w.run(), w.stay(1)
		time.Sleep(time.Second)
		dropped := s.Stats().Dropped
		s.replaceLine()
		w.net.Inject(serverAddr, playerAddr(1), nil)
		time.Sleep(500 * time.Millisecond)
		st := s.Stats()
		s.rest()
		if st.Resumed != 1 || st.Dropped != dropped+1 || w.missing(s) != 0 {
			t.Errorf("%d inputs are missing, %+v", w.missing(s), st)
		}
		w.quit(r, s)
	})
}

// A connection that waits for its first datagram is nobody's in the match: who has
// stolen a ticket hears nothing by showing it.
func TestWaitingHearsNothing(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		fleet := w.fleet(t)
		r := w.run(fleet)
		s := w.stay(1, quietClient)
		time.Sleep(time.Second)
		w.end(r, r.Close)
		r = w.run(fleet)
		heard := 0
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
			if from == serverAddr && b[0] == byte(record.ApplicationData) {
				heard++
				return false
			}
			return true
		})
		w.disconnect(s.Client)
		time.Sleep(10 * time.Second)
		w.net.Tap(nil)
		if n := heard; n == 0 || n > 30 || w.match.joined() != 1 {
			t.Errorf("%d records were sent, %d joined", n, w.match.joined())
		}
		s.quit()
		time.Sleep(helloTime + lingerTime + 2*dtls.SweepInterval)
		w.quit(r)
		if st := r.Stats(); st.Sessions != 0 || r.first().Holdings().Conns != 0 || r.gate.Len() != 0 {
			t.Errorf("%+v, %d connections, %d sessions", st, r.first().Holdings().Conns, r.gate.Len())
		}
	})
}

// "A record of application data is opened under the keys that its connection id names, whatever
// address it comes from." PROTOCOL.md 9.4: so it is before the first datagram after WELCOME, too. A
// player whose translator forgets its mapping then needs no second resumption.
func TestMovesBeforeTheFirstDatagram(t *testing.T) {
	t.Parallel()
	for name, lives := range map[string]bool{"of a session that lives here": true, "of one that lives nowhere here": false} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				const latency = 20 * time.Millisecond
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				fleet := w.fleet(t)
				r, s := w.run(fleet), w.stay(1)
				time.Sleep(time.Second)
				var welcomed time.Time
				w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
					switch now := time.Now(); {
					case isWelcome(from, b):
						welcomed = now.Add(latency)
					case from == playerAddr(1) && !welcomed.IsZero() && !now.Before(welcomed):
						w.rebind(s.Client, neighbour(1))
						return false
					}
					return true
				})
				if !lives {
					w.end(r, r.Close)
					r = w.run(fleet)
				}
				w.disconnect(s.Client)
				time.Sleep(3 * time.Second)
				p := w.match.newest()
				if st := s.Stats(); st.Resumed != 1 || s.since() > 2*frame || p.Addr() != neighbour(1) {
					t.Errorf("%d resumptions, the last snapshot came %v ago, the player is at %v", st.Resumed, s.since(), p.Addr())
				}
				w.quit(r, s)
			})
		})
	}
}

// helloTime is how long a connection may take to its first datagram.
const helloTime = 5 * time.Second

// Authorize may ask the server, whoever comes by whatever way.
func TestAuthorizeAsksTheServer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet, server, asked := w.fleet(t), atomic.Pointer[Server]{}, atomic.Int64{}
		curious := func(c *Config) {
			c.Snapshot = ""
			c.Session.Authorize = func(*session.Admission) error {
				asked.Add(1)
				if s := server.Load(); s != nil {
					s.Stats()
					s.Broadcast([]byte("somebody comes"))
				}
				return nil
			}
		}
		server.Store(w.serve(fleet, curious))
		c := w.dial(1, quietClient)
		w.server.Close()
		server.Store(w.serve(fleet, curious))
		w.disconnect(c)
		time.Sleep(2 * time.Second)
		if c.Stats().Resumed != 1 || asked.Load() != 2 {
			t.Errorf("%+v, asked %d times", c.Stats(), asked.Load())
		}
	})
}

// slow holds verdicts back.
type slow struct {
	Verifier
	hold chan struct{} // nil lets them pass
	on   atomic.Bool
}

func (v *slow) Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	if v.on.Load() {
		<-v.hold
	}
	return v.Verifier.Verify(ctx, now, raw)
}

// A newcomer at the address that a player has left does not put out the player, who has
// moved while the newcomer's token was being looked at.
func TestNewcomerAtTheOldAddress(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		v := &slow{Verifier: w.issuer.Verifier(w), hold: make(chan struct{})}
		w.serve(func(c *Config) { c.Verifier = v })
		a := w.dial(1, quietClient)
		v.on.Store(true)
		w.rebind(a, neighbour(1))
		done := make(chan error)
		go func() {
			_, err := w.try(2, func(c *ClientConfig) { c.Conn = w.socket(playerAddr(1)) })
			done <- err
		}()
		time.Sleep(500 * time.Millisecond)
		w.echoes(a, "from the new port")
		close(v.hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.quiet()
		w.echoes(a, "still here")
	})
}

// A path that goes in the middle of a handshake, whatever datagram comes last: the player
// is back soon after its return.
func TestPathGoesInMidHandshake(t *testing.T) {
	t.Parallel()
	for last := range 7 {
		t.Run(fmt.Sprint("after datagram ", last), func(t *testing.T) {
			both(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 50 * time.Millisecond})
				fleet := w.fleet(t)
				r := w.run(fleet)
				s := w.stay(1)
				time.Sleep(time.Second)
				w.end(r, r.Close)
				r = w.run(fleet)
				n, dead := 0, time.Time{}
				w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool {
					if dtls.IsHandshake(b) {
						if n++; n == last+1 {
							dead = time.Now().Add(2 * time.Second)
						}
					}
					return dead.IsZero() || time.Now().After(dead)
				})
				time.Sleep(15 * time.Second)
				w.net.Tap(nil)
				if s.Stats().Resumed == 0 {
					t.Errorf("not resumed: %+v, server %+v", s.events, r.Stats())
				}
				if d := time.Duration(s.longest.Load()); d > 6*time.Second {
					t.Errorf("nothing was heard for %v, of which the path was dead for 2 s", d)
				}
				w.quit(r, s)
			})
		})
	}
}

// A server whose refusals get lost, and not the end of their connections, is asked at
// leisure.
func TestRefusalsLost(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		r, s, _ := w.outdated()
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { return from != serverAddr || !isRefusal(b) })
		s.replaceLine()
		const long = 10 * time.Second
		time.Sleep(long)
		if n := r.Stats().Handshakes.Started; n < uint64(long/(closeTime+2*attemptPause)) || n > uint64(long/attemptPause) {
			t.Errorf("%d handshakes", n)
		}
		s.rest()
		if s.since() > 2*frame || w.missing(s) != 0 {
			t.Errorf("last snapshot %v ago, %+v", s.since(), s.Stats())
		}
		w.quit(r, s)
	})
}

// A ticket that was refused is not the last word: RENEWED brings another.
func TestRefusedThenRenewed(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		r, s, share := w.outdated()
		s.replaceLine()
		time.Sleep(2 * time.Second)
		s.Client.mu.Lock()
		s.state.resumption.rekeyAt = record.MaxRecords
		s.Client.mu.Unlock()
		s.renewNow()
		time.Sleep(2 * time.Second)
		w.end(r, r.Close)
		r = w.run(share)
		time.Sleep(3 * time.Second)
		if s.Stats().Resumed != 1 || s.since() > 2*frame || s.told(EventRenewed) != 1 {
			t.Errorf("%+v, %+v", s.Stats(), s.events)
		}
		w.quit(r, s)
	})
}

// "After reasons 2, 11, 12 and 16 a client may try again as it is, not before retry-after." PROTOCOL.md 10. A server that
// shuts down while it looks at a ticket says nothing of the ticket: the next one takes it.
func TestShutdownAmidResumption(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		v := &slow{Verifier: w.issuer.Verifier(w), hold: make(chan struct{})}
		share, _ := w.keyed()
		r := w.run(share, func(c *Config) { c.Verifier = v })
		s := w.stay(1)
		time.Sleep(time.Second)
		s.Client.mu.Lock()
		s.state.resumption.proves = true
		s.state.resumption.identity = []byte(w.issuer.Token(w, grantFor(1)))
		s.Client.mu.Unlock()
		v.on.Store(true)
		w.end(r, r.Close)
		r = w.run(share, func(c *Config) { c.Verifier = v })
		time.Sleep(2 * time.Second) // the ticket has been shown, with the token
		time.AfterFunc(time.Second, func() { close(v.hold) })
		w.end(r, r.shutdown)
		v.on.Store(false)
		r = w.run(share)
		time.Sleep(10 * time.Second)
		if err := s.progress.over(); err != nil || s.Stats().Resumed != 1 || s.since() > 2*frame {
			t.Errorf("%v, %+v, last snapshot %v ago", err, s.Stats(), s.since())
		}
		w.quit(r, s)
	})
}

// A server that refuses each attempt until the idle time is over has answered: the end says what.
func TestRefusedToTheEnd(t *testing.T) {
	t.Parallel()
	refuses := func(reason session.Reason) func(*Config) {
		return func(c *Config) {
			c.Session.Authorize = func(*session.Admission) error { return session.Refusal(reason) }
		}
	}
	for reason, configure := range map[session.Reason]func(*Config){
		session.ReasonFull:        func(c *Config) { c.Session.MaxSessions = -1 },
		session.ReasonBusy:        refuses(session.ReasonBusy),
		session.ReasonUnavailable: refuses(session.ReasonUnavailable),
	} {
		t.Run(reason.String(), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				share, _ := w.keyed()
				r := w.run(share)
				s := w.stay(1)
				time.Sleep(time.Second)
				w.end(r, r.Close)
				r = w.run(share, configure)
				time.Sleep(session.DefaultIdle + time.Second)
				err := s.progress.over()
				w.closed(err, reason)
				if e, ok := errors.AsType[*CloseError](err); !ok || e.RetryAfter == 0 || s.told(EventClosed) != 1 {
					t.Errorf("%+v, %+v", err, s.events)
				}
				w.quit(r, s)
			})
		})
	}
}

// A process that is replaced before its first turn hands on what it has been handed.
func TestRestartBeforeTheFirstTurn(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		r := w.run(fleet)
		s := w.stay(1)
		time.Sleep(time.Second)
		w.end(r, r.shutdown)
		w.serving.Wait()
		if err := w.listen(fleet).Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		r = w.run(fleet)
		time.Sleep(3 * time.Second)
		if s.since() > 2*frame || s.Stats().Resumed != 0 {
			t.Errorf("%+v", s.Stats())
		}
		w.quit(r, s)
	})
}
