package transport

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
)

// "the one that was shown is not used up: it can be shown again, here or on another server."
// PROTOCOL.md 8.3. The server goes before the player has brought the token that is asked for.
func TestServerGoesInStepUp(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		share, _ := w.keyed()
		r := w.run(share)
		s := w.comeFromElsewhere()
		w.end(r, r.Close)
		r = w.run(share)
		time.Sleep(2 * time.Second)
		s.rest()
		if n := s.Stats().Resumed; n != 2 {
			t.Errorf("resumed %d times", n)
		}
		w.goesOn(s)
		w.quit(r, s)
	})
}

// "the one that was shown is not used up: it can be shown again, here or on another server." PROTOCOL.md 8.3. The path is
// lost once more, before the player has brought the token that is asked for.
func TestTicketShownToTheSameServer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.comeFromElsewhere()
		w.disconnect(s.Client)
		time.Sleep(5 * time.Second)
		s.rest()
		if s.progress.over() != nil || s.since() > 2*frame || s.Stats().Resumed != 2 || w.match.joined() != 1 {
			t.Errorf("%v, last snapshot %v ago, %+v", s.progress.over(), s.since(), s.Stats())
		}
		if n := r.Stats().Drops["ticket"]; n != 0 {
			t.Errorf("%d tickets refused", n)
		}
		w.missing(s)
		w.quit(r, s)
	})
}

// A refusal of the ticket from before is no word on the one that RENEWED has brought
// meanwhile.
func TestRefusalOvertaken(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		share, retire := w.keyed()
		r := w.run(share)
		s := w.comeFromElsewhere()
		time.Sleep(10 * frame)                                  // the connection has sent some records, the next one will send few
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { // what refuses comes last
			h, _ := record.ParseHeader(b)
			refuses := from == serverAddr && (b[0] == byte(record.Alert) || isRefusal(b) && h.Seq < 10)
			return !refuses || s.told(EventRenewed) > 0
		})
		retire()
		s.replaceLine()
		time.Sleep(3 * time.Second)
		w.net.Tap(nil)
		if s.told(EventRenewed) == 0 || r.Stats().Drops["ticket"] == 0 {
			t.Errorf("%+v, server %+v", s.events, r.Stats())
		}
		w.end(r, r.Close)
		r = w.run(share)
		time.Sleep(2 * time.Second)
		s.rest()
		w.goesOn(s)
		w.quit(r, s)
	})
}

// A ticket that one server has refused, whose connection went on, is good for another
// server.
func TestRefusedThenTakenElsewhere(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		key := testkit.FleetKey(t)
		var ring, other fleetkey.Ring
		if err := errors.Join(ring.Set(key), other.Set(key)); err != nil {
			t.Fatal(err)
		}
		r := w.run(func(c *Config) { c.Session.FleetKeys = &ring })
		s := w.stay(1)
		time.Sleep(time.Second)
		if err := ring.Set(testkit.FleetKey(t)); err != nil {
			t.Fatal(err)
		}
		s.replaceLine()
		time.Sleep(time.Second)
		if r.Stats().Drops["ticket"] == 0 {
			t.Errorf("not refused: %+v", r.Stats())
		}
		w.end(r, r.Close)
		r = w.run(func(c *Config) { c.Session.FleetKeys = &other })
		time.Sleep(refusedPause + time.Second)
		s.rest()
		w.goesOn(s)
		w.quit(r, s)
	})
}

// comeFromElsewhere is a player who has just come back by ticket from another network.
func (w *world) comeFromElsewhere() *stayer {
	w.Helper()
	s := w.stay(1)
	time.Sleep(time.Second)
	w.rebind(s.Client, elsewhere)
	w.disconnect(s.Client)
	for s.Stats().Resumed == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(2 * frame) // the first datagram arrives
	return s
}

// "The server MUST pause the time during the client's first silence of at least 2 s" PROTOCOL.md 4.9
func TestPathGoesWithTheNetwork(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1)
		time.Sleep(time.Second)
		w.rebind(s.Client, elsewhere)
		for w.audits(audit.Migrate) == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * frame) // what comes from there is judged
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		time.Sleep(15 * time.Second)
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		time.Sleep(15 * time.Second)
		s.rest()
		if s.progress.over() != nil || s.since() > 2*frame || w.audits(audit.StepUp) != 1 || w.audits(audit.Renew) != 1 || w.match.joined() != 1 {
			t.Errorf("%v, last snapshot %v ago, %+v", s.progress.over(), s.since(), s.events)
		}
		w.missing(s)
		w.quit(r, s)
	})
}
