package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// stray has a player send from another network; the server's next Tick is returned.
func (d *dialogue) stray() heard {
	d.Helper()
	d.server.SetPath(d.now, far)
	d.toServer(d.say(wire.KindData, "far")).gives("far")
	return d.tickServer()
}

// lasts lets time pass, in which the player plays and the server looks at its clock.
func (d *dialogue) lasts(t time.Duration) {
	d.Helper()
	for end := d.now.Add(t); d.now.Before(end); {
		d.pass(min(time.Second/4, end.Sub(d.now)))
		d.toServer(d.say(wire.KindData, "on")).gives("on")
		d.tickServer()
	}
}

// "**step up** lets the session go on and asks for a fresh identity token by NOTICE (section 3.10)" PROTOCOL.md 4.9
func TestStepUp(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	h := d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
	if h.Part != policy.PartNetwork || d.server.Stats().Doubt != EventStepUp {
		t.Errorf("%v, %+v", h.Part, d.server.Stats())
	}
	n := d.toClient(h.envelope).is(EventNotice, audit.DropNone, 0)
	if n.Notice.Code != wire.NoticeStepUp || n.Notice.Within != uint32(policy.DefaultStepUpTime.Milliseconds()) {
		t.Errorf("notice %+v", n.Notice)
	}
	d.renewing("fresh")
	d.toServer(d.say(wire.KindData, "on")).gives("on")
	d.pass(policy.DefaultStepUpTime + time.Second)
	d.tickServer().is(EventNone, audit.DropNone, 0)
	d.toServer(d.say(wire.KindData, "and on")).gives("and on")
	if s := d.server.Stats(); s.Doubt != EventNone {
		t.Errorf("%+v", s)
	}
	d.server.SetPath(d.now, home) // "binds the session to what is observed then": now home is elsewhere
	d.toServer(d.say(wire.KindData, "home")).gives("home")
	d.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
}

// "A server repeats a NOTICE each second until the client obeys it or the time is over."
// PROTOCOL.md 3.10
func TestStepUpMissed(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.stray().is(EventStepUp, audit.DropNone, wire.KindNotice)
	for range 9 {
		d.pass(time.Second / 2)
		d.tickServer().is(EventNone, audit.DropNone, 0)
		d.pass(time.Second / 2)
		d.tickServer().is(EventNone, audit.DropNone, wire.KindNotice)
		d.toServer(d.say(wire.KindData, "on")).gives("on")
	}
	d.pass(time.Second - 1)
	d.toServer(d.say(wire.KindData, "last")).gives("last")
	d.pass(1)
	d.toServer(d.say(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
}

// "**note** records it."
func TestNote(t *testing.T) {
	d := play(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionNote}}, session.ClientConfig{})
	if h := d.stray().is(EventFlagged, audit.DropNone, 0); h.Part != policy.PartNetwork {
		t.Errorf("%v", h.Part)
	}
	d.pass(time.Minute / 3)
	d.toServer(d.say(wire.KindData, "on")).gives("on")
	d.tickServer().is(EventNone, audit.DropNone, 0)
}

// A token that claims another platform, build or certificate than its client has is refused, or by policy let in for
// as long as a step up takes.
func TestClaimsContradict(t *testing.T) {
	for part, change := range map[policy.Part]func(*token.Claims){
		policy.PartPlatform:    func(c *token.Claims) { c.Platform = "windows" },
		policy.PartBuild:       func(c *token.Claims) { c.Build = "1.4.3" },
		policy.PartCertificate: func(c *token.Claims) { c.HasThumbprint, c.Thumbprint = true, [32]byte{1} },
	} {
		d := meet(t, session.Config{}, session.ClientConfig{Fingerprint: phone})
		change(d.claims["identity"])
		d.present(d.ticks(wire.KindHello)...).refuses(audit.DropFingerprint, wire.ReasonFingerprint)

		d = meet(t, session.Config{Fingerprint: policy.FingerprintConfig{
			Platform: policy.ActionStepUp, Build: policy.ActionStepUp, Certificate: policy.ActionStepUp,
		}}, session.ClientConfig{Fingerprint: phone})
		change(d.claims["identity"])
		welcome := d.present(d.ticks(wire.KindHello)...).is(EventJoined, audit.DropNone, wire.KindWelcome)
		d.toClient(welcome.envelope)
		if h := d.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice); h.Part != part {
			t.Errorf("%v, want %v", h.Part, part)
		}
		change(d.mint("same again"))
		d.present(d.renew("same again")...).is(EventRefused, audit.DropFingerprint, 0)
	}
}
