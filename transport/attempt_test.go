package transport

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// giveUp has a client end its present attempt at another connection as most DTLS libraries do, by close_notify, some
// time after it has said HELLO.
func (s *stayer) giveUp(after time.Duration) bool {
	for range 4000 {
		time.Sleep(time.Millisecond)
		s.Client.mu.Lock()
		n := s.state.conns.next
		said := n != nil && n.machine != nil
		s.Client.mu.Unlock()
		if !said {
			continue
		}
		time.Sleep(after)
		s.Client.mu.Lock()
		defer s.Client.mu.Unlock()
		if s.state.conns.next != n {
			return false
		}
		n.closeNotify()
		s.state.conns.abandonNext()
		return true
	}
	return false
}

// "A DTLS close_notify, and silence, end only the connection." PROTOCOL.md 5.5: that of an attempt whose WELCOME has not
// come does no harm to the session that it is for, nor to its ticket, whether the session lives beside it or nowhere.
func TestCloseNotifyOfAnAttempt(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"beside the old connection": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				share, _ := w.keyed()
				r := w.run(share)
				s := w.stay(1)
				time.Sleep(time.Second)
				w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { return !isWelcome(from, b) })
				if restart {
					w.end(r, r.Close)
					r = w.run(share)
				} else {
					s.replaceLine()
				}
				for range 2 {
					if !s.giveUp(100 * time.Millisecond) {
						t.Fatal("no attempt to give up")
					}
				}
				w.net.Tap(nil)
				time.Sleep(8 * time.Second)
				s.rest()
				if err := s.progress.over(); err != nil || s.Stats().Resumed == 0 || s.since() > 2*frame || r.Stats().Sessions != 1 {
					t.Errorf("%v, %+v, last snapshot %v ago, server %+v", err, s.Stats(), s.since(), r.Stats())
				}
				if !restart && w.missing(s) != 0 {
					t.Errorf("%d inputs are lost", w.missing(s))
				}
				w.quiet()
				w.quit(r, s)
			})
		})
	}
}
