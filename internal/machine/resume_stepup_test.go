package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "Another network than the one that the ticket is bound to is judged as after a change of address (section 4.9). As
// long as a step up is owed, WELCOME has no ticket: the client keeps the one that it has shown". PROTOCOL.md 8.3
func TestResumeFromAnotherNetwork(t *testing.T) {
	for _, here := range []bool{true, false} {
		for _, obeys := range []bool{true, false} {
			d := stay(t, session.Config{}, session.ClientConfig{})
			g := d.gate
			if !here {
				g = d.sister(session.Config{})
			}
			r := d.again(g, far)
			if m := r.welcomed(r.shows()); m.Ticket != nil {
				t.Error("a ticket before the step up")
			}
			if !r.client.Resumable() || !r.client.Shown() || !r.server.Resumable() {
				t.Error("the ticket that was shown is not kept")
			}
			r.tickServer().nothing() // the first datagram is judged
			r.pass(time.Second)
			r.settles()
			if h := r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice); h.Part != policy.PartNetwork || within(h) != policy.DefaultStepUpTime {
				t.Errorf("%v within %v", h.Part, within(h))
			}
			if s := r.server.Stats(); s.Doubt != EventStepUp {
				t.Errorf("%+v", s)
			}
			if obeys {
				r.obeys()
				continue
			}
			r.lasts(policy.DefaultStepUpTime - 1)
			r.pass(1)
			r.toServer(r.say(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
		}
	}
}

// "WELCOME has no ticket, and the one that was shown is not used up: it can be shown again, here or on another server."
// PROTOCOL.md 8.3
func TestTicketShownAgain(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	r := d.again(d.gate, far)
	r.welcomed(r.shows())
	r.settles()
	same := r.again(r.gate, far)
	if m := same.welcomed(same.shows().says(wire.KindWelcome)); m.Ticket != nil {
		t.Error("a ticket before the step up")
	}
	same.settles()
	other := same.again(same.sister(session.Config{}), far)
	if m := other.welcomed(other.shows()); m.Ticket != nil {
		t.Error("a ticket before the step up")
	}
	other.settles()
	other.renewing("fresh")
	other.talks()
	if other.client.Shown() {
		t.Error("no ticket after the step up")
	}
}

// Tickets from before the one that is kept are used up with it.
func TestTicketBeforeTheOneKept(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	old := d.again(d.gate, home) // and its ticket is that of WELCOME
	d.renewing("newer")
	d.talks()
	r := d.again(d.gate, far)
	r.welcomed(r.shows())
	r.settles()
	old.shows().refuses(audit.DropTicket, wire.ReasonTicket)
	r.talks()
}

// obeys is a step up that is done: from then on the player is at home where he is.
func (d *dialogue) obeys() {
	d.Helper()
	d.renewing("fresh")
	d.talks()
	d.pass(policy.DefaultStepUpTime + time.Second)
	d.talks()
	if d.client.Shown() || !d.server.Resumable() {
		d.Error("no ticket after the step up")
	}
	same := d.again(d.gate, far)
	if m := same.welcomed(same.shows()); m.Ticket == nil {
		d.Error("the ticket is not bound to where the player has stepped up")
	}
	same.settles()
	same.tickServer().nothing()
	back := same.again(d.gate, home)
	if m := back.welcomed(back.shows()); m.Ticket != nil {
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
		d := stay(t, session.Config{}, session.ClientConfig{})
		d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
		d.lasts(4 * time.Second)
		r := d.again(d.gate, far)
		if m := r.welcomed(r.shows()); m.Ticket != nil {
			t.Error("a ticket before the step up")
		}
		r.pass(time.Second)
		r.settles()
		if h := r.tickServer().says(wire.KindNotice); within(h) != policy.DefaultStepUpTime-5*time.Second {
			t.Errorf("within %v", within(h))
		}
		d.dumb()
		r.lasts(5*time.Second - 1)
		r.pass(1)
		if silent {
			r.tickServer().ends(audit.DropFingerprint, wire.ReasonFingerprint)
		} else {
			r.toServer(r.say(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
		}
	}
}

// "What the session owes goes with it" PROTOCOL.md 8.3. A player who comes home by another connection owes what is left,
// if it leaves again, and has a ticket.
func TestResumeFromHome(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
	d.lasts(4 * time.Second)
	r := d.again(d.gate, near)
	if m := r.welcomed(r.shows()); m.Ticket == nil {
		t.Error("no ticket at home")
	}
	r.settles()
	r.lasts(20 * time.Second)
	r.stray()
	if left := r.quiet(1); left != policy.DefaultStepUpTime-5*time.Second {
		t.Errorf("within %v", left)
	}
	r.renewing("fresh")
	r.lasts(2 * policy.DefaultStepUpTime)
	if s := r.server.Stats(); s.Doubt != EventNone || r.client.Shown() {
		t.Errorf("%+v", s)
	}
}

// Where policy only takes note of another network, a player goes on with a ticket.
func TestResumeNetworkNoted(t *testing.T) {
	d := stay(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionNote}}, session.ClientConfig{})
	r := d.again(d.gate, far)
	if m := r.welcomed(r.shows()); m.Ticket == nil {
		t.Error("no ticket")
	}
	r.settles()
	if h := r.tickServer().is(EventFlagged, audit.DropNone, 0); h.Part != policy.PartNetwork {
		t.Errorf("%v", h.Part)
	}
	r.talks()
	r.moves().talks()
}

// A step up that is owed is owed again after a restart, with all its time, which stands still at home; without one nothing
// is owed.
func TestRestartOwesStepUp(t *testing.T) {
	otherPlatform := func(d *dialogue) {
		d.mint("other").Platform = "ios"
		*d = *d.connect(session.ClientConfig{Fingerprint: phone}, "other", channel)
		d.arrive()
		d.join()
		d.talks()
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
		"strayed": {session.Config{}, func(d *dialogue) { d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice) }},
		"strayed and back": {session.Config{}, func(d *dialogue) {
			d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
			d.server.SetPath(d.now, home)
			d.talks()
		}},
		"of another platform than the token's":              {lenient(policy.ActionStepUp), otherPlatform},
		"of another platform where networks are noted":      {lenient(policy.ActionNote), otherPlatform},
		"of another platform where networks may not change": {lenient(policy.ActionRequire), otherPlatform},
	} {
		t.Run(name, func(t *testing.T) {
			d := stay(t, c.config, session.ClientConfig{})
			if c.owes != nil {
				c.owes(d)
			}
			d.pass(time.Second)
			r := d.restart()
			r.talks()
			if c.owes == nil {
				r.tickServer().nothing()
				return
			}
			if h := r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice); within(h) != policy.DefaultStepUpTime {
				t.Errorf("within %v", within(h))
			}
			if r.lasts(policy.DefaultStepUpTime - 1); name == "strayed and back" {
				r.lasts(homeTime - policy.DefaultStepUpTime)
				if r.lasts(1); r.server.owes() {
					t.Error("owes at home")
				}
				return
			}
			r.pass(1)
			r.tickServer().ends(audit.DropFingerprint, wire.ReasonFingerprint)
		})
	}
}
