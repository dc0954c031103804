package machine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// answers has the player show a fresh token, and RENEWED lost with the connection.
func (d *dialogue) answers(identity string) {
	d.Helper()
	d.present(d.renew(identity)...).renews()
}

// "RENEWED may have been lost: the network that the token was shown from MUST NOT be judged again" PROTOCOL.md 8.3. For
// "A fresh token, or 60 s at home without another absence, MUST settle the step up." PROTOCOL.md 4.9
func TestResumeWithoutRenewed(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
	d.lasts(4 * time.Second)
	d.mint("fresh")
	d.answers("fresh")
	r := d.again(d.gate, far)
	if m := r.welcomed(r.shows().says(wire.KindWelcome)); m.Ticket == nil {
		t.Error("no ticket for a player who owes nothing")
	}
	r.settles()
	if r.tickServer().nothing(); r.server.owes() {
		t.Error("owes again what it has shown")
	}
	r.lasts(2 * policy.DefaultStepUpTime)
}

// The token may be accepted after the WELCOME of the next connection.
func TestAcceptedAfterWelcome(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	d.stray()
	r := d.again(d.gate, far)
	r.welcomed(r.shows().says(wire.KindWelcome))
	d.mint("fresh")
	d.answers("fresh")
	r.settles()
	r.lasts(2 * policy.DefaultStepUpTime)
	r.renewing("another")
	r.talks()
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
			d := stay(t, session.Config{}, session.ClientConfig{})
			d.stray()
			d.mint("fresh")
			d.answers("fresh")
			r := d.again(d.gate, netip.AddrFrom4(c.from))
			if m := r.welcomed(r.shows().says(wire.KindWelcome)); m.Ticket == nil != c.owes {
				t.Errorf("ticket of %d bytes", len(m.Ticket))
			}
			if r.settles(); r.server.owes() != c.owes {
				t.Errorf("owes: %v", r.server.owes())
			}
		})
	}
}

// "If the verdict was lost with its connection, the time stays paused until another token of the
// player's has been judged." PROTOCOL.md 4.9
func TestResumeWhileATokenWaits(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	d.stray()
	d.lasts(policy.DefaultStepUpTime - time.Second)
	d.mint("fresh")
	for _, p := range d.renew("fresh") {
		d.toServer(p)
	}
	d.lasts(2 * time.Second)
	r := d.again(d.gate, far)
	r.welcomed(r.shows())
	r.settles()
	r.lasts(5 * time.Second) // in which it fetches a token
	r.renewing("another")
	r.lasts(time.Minute)

	d = stay(t, session.Config{}, session.ClientConfig{})
	d.stray()
	for _, p := range d.renew("forged") {
		d.toServer(p)
	}
	r = d.again(d.gate, far)
	r.welcomed(r.shows())
	r.settles()
	r.lasts(maxTokenWait)
	r.overdue(policy.DefaultStepUpTime)
}

// "What the session owes goes with it: rate and behaviour, where they are known, and a step up with its time." PROTOCOL.md
// 8.3. Nobody gains time by a new connection each second, which the server's clock has not come to yet.
func TestResumingGainsNoTime(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
	for range 25 {
		d.pass(900 * time.Millisecond)
		r := d.again(d.gate, far)
		h := r.shows()
		if h.kind != wire.KindWelcome {
			return
		}
		r.welcomed(h)
		r.tickServer().nothing() // it waits for its first datagram
		if h := r.toServer(r.ticks(wire.KindPing)[0]); h.kind == wire.KindClose {
			return
		}
		d = r
	}
	t.Errorf("plays on for %v; %v left", d.now.Sub(begin), d.server.doubt.step.left)
}

// "for this session the network is required from then on, until a fresh token is accepted" PROTOCOL.md 4.9. It has been
// accepted where RENEWED is lost with the connection, too.
func TestConfinedUntilAccepted(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	d.stray()
	d.overdue(policy.DefaultStepUpTime)
	r := d.again(d.gate, home)
	r.welcomed(r.shows().resumes())
	r.settles()
	r.mint("fresh")
	r.answers("fresh")
	thief := r.again(d.gate, far)
	thief.shows().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
	next := r.again(d.gate, home)
	next.welcomed(next.shows().says(wire.KindWelcome))
	next.settles()
	if !next.server.Follows(far) {
		t.Error("the session may not move after a fresh token")
	}
}
