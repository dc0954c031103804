package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// changesNetwork sends from another network and returns the server's next Tick.
func (d *dialogue) changesNetwork() heard {
	d.Helper()
	d.server.SetPath(d.now, far)
	d.toServer(d.clientSends(wire.KindData, "far")).delivers("far")
	return d.tickServer()
}

// playsFor sends and ticks for a time.
func (d *dialogue) playsFor(t time.Duration) {
	d.Helper()
	for end := d.now.Add(t); d.now.Before(end); {
		d.waits(min(time.Second/4, end.Sub(d.now)))
		d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
		d.tickServer()
	}
}

// "**step up** lets the session go on and asks for a fresh identity token by NOTICE (section 3.10)"
// PROTOCOL.md 4.9
func TestStepUp(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	h := d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
	if h.Part != fingerprint.PartNetwork || d.server.Stats().Doubt != EventStepUp {
		t.Errorf("%v, %+v", h.Part, d.server.Stats())
	}
	n := d.toClient(h.envelope).is(EventNotice, audit.DropNone, 0)
	if n.Notice.Code != wire.NoticeStepUp || n.Notice.Within != uint32(defaultStepUpTime.Milliseconds()) {
		t.Errorf("notice %+v", n.Notice)
	}
	d.renewsWith("fresh")
	d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
	d.waits(defaultStepUpTime + time.Second)
	d.tickServer().is(EventNone, audit.DropNone, 0)
	d.toServer(d.clientSends(wire.KindData, "and on")).delivers("and on")
	if s := d.server.Stats(); s.Doubt != EventNone {
		t.Errorf("%+v", s)
	}
	d.server.SetPath(d.now, home) // "binds the session to what is observed then": now home is elsewhere
	d.toServer(d.clientSends(wire.KindData, "home")).delivers("home")
	d.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
}

// "A server repeats a NOTICE each second until the client obeys it or the time is over."
// PROTOCOL.md 3.10
func TestStepUpMissed(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)
	for range 9 {
		d.waits(time.Second / 2)
		d.tickServer().is(EventNone, audit.DropNone, 0)
		d.waits(time.Second / 2)
		d.tickServer().is(EventNone, audit.DropNone, wire.KindNotice)
		d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
	}
	d.waits(time.Second - 1)
	d.toServer(d.clientSends(wire.KindData, "last")).delivers("last")
	d.waits(1)
	d.toServer(d.clientSends(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
}

// "**note** records it."
func TestNote(t *testing.T) {
	d := play(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionNote}}, session.ClientConfig{})
	if h := d.changesNetwork().is(EventFlagged, audit.DropNone, 0); h.Part != fingerprint.PartNetwork {
		t.Errorf("%v", h.Part)
	}
	d.waits(time.Minute / 3)
	d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
	d.tickServer().is(EventNone, audit.DropNone, 0)
}

// A token that claims another platform, build or certificate than its client has is refused, or by
// policy let in for as long as a step up takes.
func TestClaimsContradict(t *testing.T) {
	for part, change := range map[fingerprint.Part]func(*token.Claims){
		fingerprint.PartPlatform:    func(c *token.Claims) { c.Platform = "windows" },
		fingerprint.PartBuild:       func(c *token.Claims) { c.Build = "1.4.3" },
		fingerprint.PartCertificate: func(c *token.Claims) { c.HasThumbprint, c.Thumbprint = true, [32]byte{1} },
	} {
		d := connectOnly(t, session.Config{}, session.ClientConfig{Fingerprint: phone})
		change(d.claims["identity"])
		d.present(d.clientTick(wire.KindHello)...).refuses(audit.DropFingerprint, wire.ReasonFingerprint)

		d = connectOnly(t, session.Config{Fingerprint: policy.FingerprintConfig{
			Platform: policy.ActionStepUp, Build: policy.ActionStepUp, Certificate: policy.ActionStepUp,
		}}, session.ClientConfig{Fingerprint: phone})
		change(d.claims["identity"])
		welcome := d.present(d.clientTick(wire.KindHello)...).is(EventJoined, audit.DropNone, wire.KindWelcome)
		d.toClient(welcome.envelope)
		if h := d.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice); h.Part != part {
			t.Errorf("%v, want %v", h.Part, part)
		}
		change(d.mints("same again"))
		d.present(d.renew("same again")...).is(EventRefused, audit.DropFingerprint, 0)
	}
}
