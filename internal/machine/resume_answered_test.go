package machine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// renewsButLosesRenewed presents a fresh token and loses RENEWED with the connection.
func (d *dialogue) renewsButLosesRenewed(identity string) {
	d.Helper()
	d.present(d.renew(identity)...).renews()
}

// "RENEWED may have been lost: the network that the token was shown from MUST NOT be judged again"
// PROTOCOL.md 8.3. For "A fresh token, or 60 s at home without another absence, MUST settle the
// step up." PROTOCOL.md 4.9
func TestResumeWithoutRenewed(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
	d.playsFor(4 * time.Second)
	d.mints("fresh")
	d.renewsButLosesRenewed("fresh")
	r := d.reconnects(d.gate, far)
	if m := r.takesWelcome(r.showsTicket().says(wire.KindWelcome)); m.Ticket == nil {
		t.Error("no ticket for a player who owes nothing")
	}
	r.sendsFirstDatagram()
	if r.tickServer().nothing(); r.server.owes() {
		t.Error("owes again what it has shown")
	}
	r.playsFor(2 * defaultStepUpTime)
}

// The token may be accepted after the WELCOME of the next connection.
func TestAcceptedAfterWelcome(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	r := d.reconnects(d.gate, far)
	r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
	d.mints("fresh")
	d.renewsButLosesRenewed("fresh")
	r.sendsFirstDatagram()
	r.playsFor(2 * defaultStepUpTime)
	r.renewsWith("another")
	r.exchangesData()
	if r.client.Shown() {
		t.Error("no ticket")
	}
}

// The network that the ticket is bound to stays good, too, and no third one does.
func TestResumeWithoutRenewedFromElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		from [4]byte
		owes bool
	}{"home": {home.As4(), false}, "a third network": {[4]byte{203, 0, 113, 1}, true}} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			d.changesNetwork()
			d.mints("fresh")
			d.renewsButLosesRenewed("fresh")
			r := d.reconnects(d.gate, netip.AddrFrom4(c.from))
			if m := r.takesWelcome(r.showsTicket().says(wire.KindWelcome)); m.Ticket == nil != c.owes {
				t.Errorf("ticket of %d bytes", len(m.Ticket))
			}
			if r.sendsFirstDatagram(); r.server.owes() != c.owes {
				t.Errorf("owes: %v", r.server.owes())
			}
		})
	}
}

// "If the verdict was lost with its connection, the time stays paused until another token of the
// player's has been judged." PROTOCOL.md 4.9
func TestResumeWhileATokenWaits(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.playsFor(defaultStepUpTime - time.Second)
	d.mints("fresh")
	for _, p := range d.renew("fresh") {
		d.toServer(p)
	}
	d.playsFor(2 * time.Second)
	r := d.reconnects(d.gate, far)
	r.takesWelcome(r.showsTicket())
	r.sendsFirstDatagram()
	r.playsFor(5 * time.Second) // in which it fetches a token
	r.renewsWith("another")
	r.playsFor(time.Minute)

	d = playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	for _, p := range d.renew("forged") {
		d.toServer(p)
	}
	r = d.reconnects(d.gate, far)
	r.takesWelcome(r.showsTicket())
	r.sendsFirstDatagram()
	r.playsFor(maxTokenWait)
	r.lapses(defaultStepUpTime)
}

// "What the session owes goes with it: rate and behaviour, if they are known, and a step up with
// its time." PROTOCOL.md 8.3. Nobody gains time by a new connection each second, which the server's
// clock has not come to yet.
func TestResumingGainsNoTime(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
	for range 25 {
		d.waits(900 * time.Millisecond)
		r := d.reconnects(d.gate, far)
		h := r.showsTicket()
		if h.kind != wire.KindWelcome {
			return
		}
		r.takesWelcome(h)
		r.tickServer().nothing() // it waits for its first datagram
		if h := r.toServer(r.clientTick(wire.KindPing)[0]); h.kind == wire.KindClose {
			return
		}
		d = r
	}
	t.Errorf("plays on for %v; %v left", d.now.Sub(begin), d.server.doubt.step.left)
}

// "for this session the network is required from then on, until a fresh token is accepted"
// PROTOCOL.md 4.9. It has been accepted where RENEWED is lost with the connection, too.
func TestConfinedUntilAccepted(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.lapses(defaultStepUpTime)
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket().resumes())
	r.sendsFirstDatagram()
	r.mints("fresh")
	r.renewsButLosesRenewed("fresh")
	thief := r.reconnects(d.gate, far)
	thief.showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
	next := r.reconnects(d.gate, home)
	next.takesWelcome(next.showsTicket().says(wire.KindWelcome))
	next.sendsFirstDatagram()
	if !next.server.Follows(far) {
		t.Error("the session may not move after a fresh token")
	}
}
