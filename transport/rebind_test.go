package transport

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// "Rebind moves the client to another socket": the server follows, the player is told, and at most
// what was on its way is lost.
func TestRebind(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1)
		time.Sleep(time.Second)
		old := s.LocalAddr().String()
		for i := range 3 {

			to := netip.AddrPortFrom(playerAddr(1).Addr(), uint16(3000+i))
			if err := s.Rebind(w.socket(to)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if p := w.match.player(0); p.Addr() != to || s.LocalAddr().String() != to.String() {
				t.Errorf("the player is at %v, the client at %v", p.Addr(), s.LocalAddr())
			}
		}
		if _, err := w.net.Listen(netip.MustParseAddrPort(old)); err != nil {
			t.Errorf("the old socket is not closed: %v", err)
		}
		s.rest()
		if st := s.Stats(); w.missing(s) != 0 || st.Moved != 3 || s.told(EventMoved) != 3 || st.Resumed != 0 || st.LostIn > 3*4 {
			t.Errorf("%+v, %+v", st, s.events)
		}
		if n := w.audits(audit.Migrate); n != 3 {
			t.Errorf("%d migrations are on record", n)
		}
		w.quit(r, s)
		conn := w.socket(neighbour(2))
		if err := s.Rebind(conn); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := conn.WriteTo(nil, udpAddr(serverAddr)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("its socket is open: %v", err)
		}
	})
}

// A new socket while another connection is being made: that goes on from it, too.
func TestRebindWhileResuming(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		fleet := w.fleet(t)
		r := w.run(fleet)
		s := w.stay(1)
		time.Sleep(time.Second)
		w.end(r, r.Close)
		time.Sleep(3 * time.Second) // attempts are under way
		if err := s.Rebind(w.socket(neighbour(1))); err != nil {
			t.Fatal(err)
		}
		r = w.run(fleet)
		time.Sleep(within)
		if s.since() > 2*frame || s.Stats().Resumed != 1 {
			t.Errorf("the last snapshot came %v ago: %+v", s.since(), s.Stats())
		}
		w.quit(r, s)
	})
}

// Close ends an attempt, in whatever stage it is: the bubble would tell of what runs on.
func TestCloseWhileResuming(t *testing.T) {
	t.Parallel()
	for stage := range 12 {
		both(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			r := w.run()
			s := w.stay(1)
			time.Sleep(time.Second)
			w.disconnect(s.Client)
			time.Sleep(time.Duration(stage) * 20 * time.Millisecond)
			s.quit()
			time.Sleep(time.Second)
			if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonLeft {
				t.Errorf("stage %d: left: %v", stage, left)
			}
			w.quit(r)
		})
	}
}
