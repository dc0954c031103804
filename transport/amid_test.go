package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// fate says whether a datagram goes on as it is.
type fate func(w *world, from, to netip.AddrPort, b []byte) bool

// fates are what may become of a datagram.
var fates = map[string]fate{
	"lost": func(*world, netip.AddrPort, netip.AddrPort, []byte) bool { return false },
	"repeated": func(w *world, from, to netip.AddrPort, b []byte) bool {
		b = slices.Clone(b)
		for i := range 3 {
			time.AfterFunc(time.Duration(5+20*i)*time.Millisecond, func() { w.net.Inject(from, to, b) })
		}
		return true
	},
	"late": func(w *world, from, to netip.AddrPort, b []byte) bool {
		b = slices.Clone(b)
		time.AfterFunc(3*time.Second, func() { w.net.Inject(from, to, b) })
		return false
	},
}

// Whatever becomes of any one datagram of an end, both ends know of it within a second, nobody says
// more for it, and what is remembered of it goes.
func TestEndWhateverBecomesOfADatagram(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	for name, ending := range waysToEnd {
		for _, tickets := range []bool{false, true} {
			for fate, f := range fates {
				t.Run(fmt.Sprintf("%s, tickets %v, %s", name, tickets, fate), func(t *testing.T) {
					for at := range 4 {
						virtual(t, func(w *world) {
							w.net.SetImpairment(netsim.Impairment{Latency: latency})
							share, _ := w.keyed()
							if !tickets {
								share = func(*Config) {}
							}
							s := w.serve(share)
							c := w.dial(1, quietClient)
							time.Sleep(time.Second)
							n := 0
							w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
								if n++; n-1 == at {
									return f(w, from, to, b)
								}
								return true
							})
							begun := time.Now()
							if err := ending.end(w, c); err != nil {
								t.Error(err)
							}
							if name == "Shutdown" && tickets {
								if left := w.match.left(); len(left) != 1 {
									t.Errorf("%v", left)
								}
								w.net.Tap(nil)
								return
							}
							time.Sleep(closeTime + 2*latency - time.Since(begun))
							synctest.Wait()
							w.knows(c, ending.reason)
							time.Sleep(lingerTime + 2*dtls.SweepInterval)
							w.net.Tap(nil)
							if n > 10 {
								t.Errorf("%s %d: %d datagrams", fate, at, n)
							}
							if name != "Shutdown" {
								sh := s.first()
								sh.Turns.Begin(nil)
								if n := sh.Holdings().Conns + sh.Holdings().IDs + sh.Holdings().Occupants; n != 0 || !sh.endings.next().IsZero() || s.gate.Len() != 0 {
									t.Errorf("%s %d: %d things are left, %d sessions", fate, at, n, s.gate.Len())
								}
								sh.Turns.End()
							}
						})
					}
				})
			}
		}
	}
}

// amid are what may happen while a player comes back by ticket, and what is so 12 s later.
var amid = map[string]struct {
	do    func(w *world, r *running, s *stayer, fleet func(*Config)) *running
	judge func(w *world, r *running, s *stayer)
}{
	"Kick": {
		func(w *world, r *running, _ *stayer, _ func(*Config)) *running {
			w.match.newest().Kick(200, "out")
			return r
		},
		func(w *world, r *running, s *stayer) {
			err := s.progress.over()
			e, ok := errors.AsType[*CloseError](err)
			if !ok || e.Reason != 200 && e.Reason != wire.ReasonTicket {
				w.Errorf("the client: %v", err)
			}
			w.isOut(r, 200)
		},
	},
	"Close": {
		func(_ *world, r *running, s *stayer, _ func(*Config)) *running {
			go s.Client.Close()
			return r
		},
		func(w *world, r *running, s *stayer) {
			if err := s.progress.over(); !errors.Is(err, net.ErrClosed) {
				w.Errorf("the client: %v", err)
			}
			w.isOut(r, wire.ReasonLeft)
		},
	},
	"a restart": {
		func(w *world, r *running, _ *stayer, fleet func(*Config)) *running {
			w.end(r, r.shutdown)
			return w.run(fleet)
		},
		(*world).plays,
	},
}

// plays fails unless a player is in the match.
func (w *world) plays(r *running, s *stayer) {
	w.Helper()
	if err := s.progress.over(); err != nil || s.since() > 2*frame || r.Stats().Sessions != 1 {
		w.Errorf("over: %v, last snapshot %v ago, %+v, server %+v", err, s.since(), s.Stats(), r.Stats())
	}
	w.missing(s)
}

// isOut fails unless the last player has been put out for a reason, once, and is remembered
// nowhere.
func (w *world) isOut(r *running, reason wire.Reason) {
	w.Helper()
	synctest.Wait()
	if left := w.match.left(); r.Stats().SessionsPeak == 1 && (len(left) != 1 || left[0] != reason) || r.Stats().Sessions != 0 {
		w.Errorf("the match was told %v, want %v: %+v", left, reason, r.Stats())
	}
	sh := r.first()
	sh.Turns.Begin(nil)
	defer sh.Turns.End()
	if n := sh.Holdings().Conns + sh.Holdings().IDs + sh.Holdings().Occupants; n != 0 || !sh.endings.next().IsZero() || r.gate.Len() != 0 {
		w.Errorf("%d things are left, %d sessions", n, r.gate.Len())
	}
}

// Whatever happens after any datagram of a resumption, and although that datagram is lost.
func TestAmidResumption(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		for what, event := range amid {
			t.Run(fmt.Sprintf("%s, elsewhere %v", what, elsewhere), func(t *testing.T) {
				for at := range 10 {
					virtual(t, func(w *world) {
						w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
						fleet := w.fleet(t)
						r := w.run(fleet)
						s := w.stay(1)
						time.Sleep(time.Second / 2)
						if elsewhere {
							w.end(r, r.Close)
							r = w.run(fleet)
						}
						n, now := 0, make(chan struct{})
						w.net.Tap(func(_, _ netip.AddrPort, b []byte) bool {
							if s.ordinary(b) {
								return true
							}
							if n++; n-1 == at {
								close(now)
							}
							return n-1 != at
						})
						w.disconnect(s.Client)
						select {
						case <-now:
							if what != "Kick" || r.Stats().Sessions == 1 { // else the player is nowhere
								r = event.do(w, r, s, fleet)
								time.Sleep(12 * time.Second)
								event.judge(w, r, s)
							}
						case <-time.After(2 * time.Second):
							w.plays(r, s)
						}
						if w.Failed() {
							w.Errorf("at %d of %d", at, n)
						}
						w.net.Tap(nil)
						w.quit(r, s)
					})
				}
			})
		}
	}
}
