package transport

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/token"
)

// Ten token lifetimes, at 30 Hz both ways, on a path that reorders: ten renewals and
// more, and not one datagram is lost on either side.
func TestTenTokenLifetimes(t *testing.T) {
	t.Parallel()
	const life = 30 * time.Second
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, Reorder: 0.1})
		r := w.run()
		g := grantFor(1)
		g.Life = life
		s := w.stay(1, func(c *ClientConfig) { c.Token = w.tokens(g) })
		time.Sleep(10 * life)
		s.rest()
		if lost := w.missing(s); lost != 0 {
			t.Errorf("%d of %d inputs are lost", lost, s.sent.Load())
		}
		if st := s.Stats(); st.LostIn != 0 || st.LostOut > 2 || st.Resumed != 0 { // out: overtaken, when the last PONG was sent
			t.Errorf("%+v", st)
		}
		if n := w.audits(audit.Renew); n < 10 || n != s.told(EventRenewed) {
			t.Errorf("%d renewals are on record, the client knows of %d", n, s.told(EventRenewed))
		}
		w.quit(r, s)
	})
}

// "Everything else goes to the former address until the PONG comes from the candidate."
// PROTOCOL.md 9.4. From an address to which nothing comes back the player's inputs count all the
// same; once something does, the server moves.
func TestAddressChangeWithoutAnswers(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]bool{"an answering path": true, "one that answers after 3 s": false} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				r := w.run()
				s := w.stay(1)
				time.Sleep(time.Second)
				if !answers {
					w.net.Tap(func(_, to netip.AddrPort, _ []byte) bool { return to != neighbour(1) })
				}
				w.rebind(s.Client, neighbour(1))
				time.Sleep(3 * time.Second)
				w.net.Tap(nil)
				time.Sleep(within)
				if s.since() > 2*frame {
					t.Errorf("the last snapshot came %v ago", s.since())
				}
				s.rest()
				if lost := w.missing(s); lost != 0 {
					t.Errorf("%d inputs are lost", lost)
				}
				if st := s.Stats(); answers && (st.LostIn > 4 || st.Moved != 1 || st.Resumed != 0) {
					t.Errorf("%+v", st) // four times 20 ms and a frame, at 30 Hz: on their way, and sent until the server knew
				}
				if p := w.match.player(0); p.Addr() != neighbour(1) || w.match.joined() != 1 || len(w.match.left()) != 0 {
					t.Errorf("%v, left: %v", p.Addr(), w.match.left())
				}
				w.quit(r, s)
			})
		})
	}
}

// "first every server opens with the next key, then every server seals with it, and the former key
// is kept until everything that it has sealed has expired" docs/fleet.md 8.1: nobody is kicked,
// before, in the midst of it, or after, and whoever comes back by ticket comes back.
func TestFleetKeysRotate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		keys := []fleetkey.Key{testkit.FleetKey(t), testkit.FleetKey(t), testkit.FleetKey(t), testkit.FleetKey(t)}
		ring, err := fleetkey.NewRing(keys[0])
		if err != nil {
			t.Fatal(err)
		}
		r := w.run(func(c *Config) { c.Session.FleetKeys = ring })
		var players []*stayer
		for n := range 2 {
			g := grantFor(n)
			g.Life = 20 * time.Second
			players = append(players, w.stay(n, func(c *ClientConfig) { c.Token = w.tokens(g) }))
		}
		for i, next := range keys[1:] {
			if err := ring.Set(keys[i], next); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			if err := ring.Rotate(next); err != nil {
				t.Fatal(err)
			}
			for _, s := range players {
				w.disconnect(s.Client) // with a ticket of the key before, or this one
			}
			time.Sleep(21 * time.Second)
		}
		for _, s := range players {
			s.stop()
		}
		time.Sleep(time.Second)
		for _, s := range players {
			if st := s.Stats(); w.missing(s) != 0 || st.Resumed != 3 || st.LostIn != 0 {
				t.Errorf("player %d: %+v", s.number, st)
			}
		}
		if len(w.match.left()) != 0 {
			t.Errorf("left: %v", w.match.left())
		}
		w.quit(r, players...)
	})
}

// issuers is an identity provider that changes its key.
type issuers struct {
	mu  sync.Mutex
	all []*token.Issuer // the newest last; the last two are published
}

func (i *issuers) rotate(t *testing.T) {
	next, err := token.NewIssuer(token.IssuerConfig{Issuer: testkit.IssuerName, Audience: testkit.Audience})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, next)
}

// Key implements token.KeySet.
func (i *issuers) Key(ctx context.Context, kid string) (token.Key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, from := range i.all[max(0, len(i.all)-2):] {
		if key, err := from.Profile().Keys.Key(ctx, kid); err == nil {
			return key, nil
		}
	}
	return token.Key{}, token.ErrUnknownKey
}

func (i *issuers) mint(g token.Grant) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		raw, err := i.all[len(i.all)-1].Mint(time.Now(), g)
		return []byte(raw), err
	}
}

// The issuer's keys change in the middle of the match, again and again: who has a
// token of an old key goes on, and renews with one of the new.
func TestIssuerKeysRotate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		provider := new(issuers)
		provider.rotate(t)
		profile := provider.all[0].Profile()
		profile.Keys = provider
		verifier, err := token.NewVerifier(profile)
		if err != nil {
			t.Fatal(err)
		}
		r := w.run(func(c *Config) { c.Verifier = verifier })
		g := grantFor(1)
		g.Life = 20 * time.Second
		s := w.stay(1, func(c *ClientConfig) { c.Token = provider.mint(g) })
		for range 5 {
			time.Sleep(13 * time.Second)
			provider.rotate(t)
			w.disconnect(s.Client) // resumption asks no issuer
		}
		time.Sleep(20 * time.Second)
		s.rest()
		if st := s.Stats(); w.missing(s) != 0 || st.LostIn != 0 || st.Resumed != 5 || w.audits(audit.Renew) < 4 {
			t.Errorf("%+v, %d renewals", st, w.audits(audit.Renew))
		}
		w.quit(r, s)
	})
}

// "the same with every flight of every exchange lost once": whichever datagram of the
// exchange does not arrive, the player goes on with the same session, and nothing of
// the match is lost that was not dropped here. A restart exchanges nothing: see TestRestart.
func TestEveryFlightLostOnce(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	for name, exchange := range map[string]func(w *world, r *running, s *stayer, fleet func(*Config)) *running{
		"renewal": func(_ *world, r *running, s *stayer, _ func(*Config)) *running {
			s.renewNow()
			return r
		},
		"migration": func(w *world, r *running, s *stayer, _ func(*Config)) *running {
			w.rebind(s.Client, neighbour(1))
			return r
		},
		"resumption": func(w *world, r *running, s *stayer, _ func(*Config)) *running {
			w.disconnect(s.Client)
			return r
		},
		"resumption elsewhere": func(w *world, r *running, s *stayer, fleet func(*Config)) *running {
			w.end(r, r.Close)
			r = w.run(fleet)
			w.disconnect(s.Client)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			for lost := range 14 {
				virtual(t, func(w *world) {
					w.net.SetImpairment(netsim.Impairment{Latency: latency})
					fleet := w.fleet(t)
					r := w.run(fleet)
					s := w.stay(1, quietClient)
					time.Sleep(time.Second / 2)
					name := w.match.player(0).Session().Name()
					n := 0
					w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool {
						if s.ordinary(b) {
							return true
						}
						n++
						return n-1 != lost
					})
					r = exchange(w, r, s, fleet)
					time.Sleep(2 * time.Second)
					w.net.Tap(nil)
					s.rest()
					last := w.match.newest()
					if s.since() > time.Second+2*frame || last.Session().Name() != name {
						t.Errorf("without flight %d: the last snapshot came %v ago, %+v, server %+v", lost, s.since(), s.events, r.Stats())
					}
					most := 0
					if strings.HasSuffix(t.Name(), "elsewhere") {
						most = 30 // what was on its way, and was sent to one that has forgotten: a handshake's time
					}
					if n == 0 {
						t.Error("nothing has been exchanged")
					}
					if missed := w.missing(s); missed > most {
						t.Errorf("without flight %d: %d inputs are lost", lost, missed)
					}
					w.quit(r, s)
				})
			}
		})
	}
}

// ordinary says whether a datagram is a payload's of these tests, by its length.
func (s *stayer) ordinary(b []byte) bool {
	const around = record.Overhead + 18
	return b[0] == byte(record.ApplicationData) && (len(b) == around+9 || len(b) == around+len(input(1, s.sent.Load())) || len(b) == around+len(input(1, 9)))
}

// A ticket that is refused costs its owner nothing: the connection that stands goes on,
// at the same address.
func TestRefusedTicketCostsNothing(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		r, s, _ := w.outdated()
		s.replaceLine()
		time.Sleep(20 * time.Second)
		s.rest()
		if st := s.Stats(); w.missing(s) != 0 || st.LostIn != 0 || st.Resumed != 0 {
			t.Errorf("%+v", st)
		}
		found := slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool {
			return e.Decision == audit.Reject && e.Reason == audit.DropTicket
		})
		if st := r.Stats(); !found || st.Sessions != 1 || st.Drops["ticket"] == 0 {
			t.Errorf("on record: %v, %+v", found, st)
		}
		w.quit(r, s)
	})
}
