package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "The server judges a network other than the one that the ticket is bound to as after a change of
// address (section 4.9)." PROTOCOL.md 8.3
func TestResumeFromAnotherNetwork(t *testing.T) {
	for _, here := range []bool{true, false} {
		for _, obeys := range []bool{true, false} {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			g := d.gate
			if !here {
				g = d.anotherServer(session.Config{})
			}
			r := d.reconnects(g, far)
			if m := r.takesWelcome(r.showsTicket()); m.Ticket != nil {
				t.Error("a ticket before the step up")
			}
			if !r.client.Resumable() || !r.client.Shown() || !r.server.Resumable() {
				t.Error("the ticket that was shown is not kept")
			}
			r.tickServer().nothing() // the first datagram is judged
			r.waits(time.Second)
			r.sendsFirstDatagram()
			if h := r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice); h.Part != fingerprint.PartNetwork || within(h) != defaultStepUpTime {
				t.Errorf("%v within %v", h.Part, within(h))
			}
			if s := r.server.Stats(); s.Doubt != EventStepUp {
				t.Errorf("%+v", s)
			}
			if obeys {
				r.completesStepUp()
				continue
			}
			r.playsFor(defaultStepUpTime - 1)
			r.waits(1)
			r.toServer(r.clientSends(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
		}
	}
}

// "WELCOME has no ticket, and the one that was shown is not used up: it can be shown again, here or
// on another server." PROTOCOL.md 8.3
func TestTicketShownAgain(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, far)
	r.takesWelcome(r.showsTicket())
	r.sendsFirstDatagram()
	same := r.reconnects(r.gate, far)
	if m := same.takesWelcome(same.showsTicket().says(wire.KindWelcome)); m.Ticket != nil {
		t.Error("a ticket before the step up")
	}
	same.sendsFirstDatagram()
	other := same.reconnects(same.anotherServer(session.Config{}), far)
	if m := other.takesWelcome(other.showsTicket()); m.Ticket != nil {
		t.Error("a ticket before the step up")
	}
	other.sendsFirstDatagram()
	other.renewsWith("fresh")
	other.exchangesData()
	if other.client.Shown() {
		t.Error("no ticket after the step up")
	}
}

// Tickets from before the one that is kept are used up with it.
func TestTicketBeforeTheOneKept(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	old := d.reconnects(d.gate, home) // and its ticket is that of WELCOME
	d.renewsWith("newer")
	d.exchangesData()
	r := d.reconnects(d.gate, far)
	r.takesWelcome(r.showsTicket())
	r.sendsFirstDatagram()
	old.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	r.exchangesData()
}

// completesStepUp presents the token of a step up: the current network becomes home.
func (d *dialogue) completesStepUp() {
	d.Helper()
	d.renewsWith("fresh")
	d.exchangesData()
	d.waits(defaultStepUpTime + time.Second)
	d.exchangesData()
	if d.client.Shown() || !d.server.Resumable() {
		d.Error("no ticket after the step up")
	}
	same := d.reconnects(d.gate, far)
	if m := same.takesWelcome(same.showsTicket()); m.Ticket == nil {
		d.Error("the ticket is not bound to where the player has stepped up")
	}
	same.sendsFirstDatagram()
	same.tickServer().nothing()
	back := same.reconnects(d.gate, home)
	if m := back.takesWelcome(back.showsTicket()); m.Ticket != nil {
		d.Error("home is elsewhere now")
	}
}

// within is the time that a NOTICE names.
func within(h heard) time.Duration {
	h.Helper()
	m, err := wire.ParseNoticeBody(h.body)
	if err != nil || m.Code != wire.NoticeStepUp {
		h.Fatalf("%+v, %v", m, err)
	}
	return time.Duration(m.Within) * time.Millisecond
}

// "What the session owes goes with it: rate and behaviour, if they are known, and a step up with
// its time." PROTOCOL.md 8.3. Resuming does not prolong it.
func TestResumeOwesStepUp(t *testing.T) {
	for _, silent := range []bool{true, false} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
		d.playsFor(4 * time.Second)
		r := d.reconnects(d.gate, far)
		if m := r.takesWelcome(r.showsTicket()); m.Ticket != nil {
			t.Error("a ticket before the step up")
		}
		r.waits(time.Second)
		r.sendsFirstDatagram()
		if h := r.tickServer().says(wire.KindNotice); within(h) != defaultStepUpTime-5*time.Second {
			t.Errorf("within %v", within(h))
		}
		d.staysSilent()
		r.playsFor(5*time.Second - 1)
		r.waits(1)
		if silent {
			r.tickServer().ends(audit.DropFingerprint, wire.ReasonFingerprint)
		} else {
			r.toServer(r.clientSends(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
		}
	}
}

// "What the session owes goes with it" PROTOCOL.md 8.3. A player who comes home by another
// connection owes what is left, if it leaves again, and has a ticket.
func TestResumeFromHome(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
	d.playsFor(4 * time.Second)
	r := d.reconnects(d.gate, near)
	if m := r.takesWelcome(r.showsTicket()); m.Ticket == nil {
		t.Error("no ticket at home")
	}
	r.sendsFirstDatagram()
	r.playsFor(20 * time.Second)
	r.changesNetwork()
	if left := r.staysQuiet(1); left != defaultStepUpTime-5*time.Second {
		t.Errorf("within %v", left)
	}
	r.renewsWith("fresh")
	r.playsFor(2 * defaultStepUpTime)
	if s := r.server.Stats(); s.Doubt != EventNone || r.client.Shown() {
		t.Errorf("%+v", s)
	}
}

// Where policy only takes note of another network, a player goes on with a ticket.
func TestResumeNetworkNoted(t *testing.T) {
	d := playWithTicket(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionNote}}, session.ClientConfig{})
	r := d.reconnects(d.gate, far)
	if m := r.takesWelcome(r.showsTicket()); m.Ticket == nil {
		t.Error("no ticket")
	}
	r.sendsFirstDatagram()
	if h := r.tickServer().is(EventFlagged, audit.DropNone, 0); h.Part != fingerprint.PartNetwork {
		t.Errorf("%v", h.Part)
	}
	r.exchangesData()
	r.resumesHere().exchangesData()
}

// A step up that is owed is owed again after a restart, with all its time, which stands still at
// home; without one nothing is owed.
func TestRestartOwesStepUp(t *testing.T) {
	otherPlatform := func(d *dialogue) {
		d.mints("other").Platform = "ios"
		*d = *d.connect(session.ClientConfig{Fingerprint: phone}, "other", channel)
		d.getsConnectionID()
		d.join()
		d.exchangesData()
		d.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
	}
	lenient := func(network policy.Action) session.Config {
		return session.Config{Fingerprint: policy.FingerprintConfig{Platform: policy.ActionStepUp, Network: network}}
	}
	for name, c := range map[string]struct {
		config session.Config
		owes   func(d *dialogue) // nil if nothing is owed
	}{
		"nothing": {session.Config{}, nil},
		"strayed": {session.Config{}, func(d *dialogue) { d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice) }},
		"strayed and back": {session.Config{}, func(d *dialogue) {
			d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
			d.server.SetPath(d.now, home)
			d.exchangesData()
		}},
		"of another platform than the token's":              {lenient(policy.ActionStepUp), otherPlatform},
		"of another platform where networks are noted":      {lenient(policy.ActionNote), otherPlatform},
		"of another platform where networks may not change": {lenient(policy.ActionRequire), otherPlatform},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, c.config, session.ClientConfig{})
			if c.owes != nil {
				c.owes(d)
			}
			d.waits(time.Second)
			r := d.restarts()
			r.exchangesData()
			if c.owes == nil {
				r.tickServer().nothing()
				return
			}
			if h := r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice); within(h) != defaultStepUpTime {
				t.Errorf("within %v", within(h))
			}
			if r.playsFor(defaultStepUpTime - 1); name == "strayed and back" {
				r.playsFor(homeTime - defaultStepUpTime)
				if r.playsFor(1); r.server.owes() {
					t.Error("owes at home")
				}
				return
			}
			r.waits(1)
			r.tickServer().ends(audit.DropFingerprint, wire.ReasonFingerprint)
		})
	}
}
