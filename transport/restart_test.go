package transport

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/netsim"
)

// A server that shuts down in order hands its sessions on: 200 players go on in a
// second process on the same port, without a handshake, and miss what was sent while
// there was none.
func TestRestart(t *testing.T) {
	t.Parallel()
	all := 200
	if testing.Short() {
		all = 40 // the race detector slows down with the number of goroutines
	}
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		fleet := w.fleet(t)
		first := w.run(fleet)
		players := w.stayAll(all)
		time.Sleep(2 * time.Second)
		names := make(map[[16]byte]bool)
		for n := range all {
			names[w.match.player(n).Session().Name()] = true
		}
		w.end(first, first.shutdown)
		const pause = 300 * time.Millisecond
		time.Sleep(pause)
		second := w.run(fleet)
		time.Sleep(3 * time.Second)
		for n := range all {
			if p := w.match.player(all + n); !names[p.Session().Name()] {
				t.Fatalf("player %d has another name", n)
			}
		}
		for _, s := range players {
			s.stop()
		}
		time.Sleep(time.Second)
		for _, s := range players {
			lost := w.missing(s)
			if most := int((pause+40*time.Millisecond)/frame) + 2; lost > most {
				t.Errorf("player %d: %d inputs are lost, %d were sent meanwhile", s.number, lost, most)
			}
			if d := time.Duration(s.longest.Load()); d > pause+40*time.Millisecond+2*frame {
				t.Errorf("player %d heard nothing for %v", s.number, d)
			}
			if s.told(EventResumed)+s.told(EventClosed)+s.told(EventLost) > 0 {
				t.Errorf("player %d was told %+v", s.number, s.events)
			}
		}
		if st := second.Stats(); st.Handshakes.Started != 0 || st.Sessions != all {
			t.Errorf("%+v", st)
		}
		if n := w.audits(audit.Resume); n != all {
			t.Errorf("%d resumptions are on record", n)
		}
		w.quit(second, players...)
	})
}

// A player whose WELCOME is not answered yet is not handed on, as the record says, and
// comes back by ticket.
func TestRestartBeforeTheFirstDatagram(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		fleet := w.fleet(t)
		first := w.run(fleet)
		s := w.stay(1)
		w.end(first, first.shutdown)
		second := w.run(fleet)
		time.Sleep(3 * time.Second)
		if st := s.Stats(); s.since() > 2*frame || st.Resumed != 1 || w.match.player(1).Session().Name() != w.match.player(0).Session().Name() {
			t.Errorf("the last snapshot came %v ago: %+v, %+v", s.since(), st, s.events)
		}
		for _, e := range w.audit.all() {
			if e.Decision == audit.Close && e.Detail != "left to come back by ticket" {
				t.Errorf("on record: %q", e.Detail)
			}
		}
		w.quit(second, s)
	})
}
