package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "A RENEW that is refused gets no answer and ends nothing. The session goes on until its expiry,
// and the CLOSE at its end gives the reason of the refusal." PROTOCOL.md 5.3
func TestRenewRefused(t *testing.T) {
	for _, r := range []struct {
		name   string
		drop   audit.Drop
		reason wire.Reason
		change func(*token.Claims)
	}{
		{"issuer", audit.DropToken, wire.ReasonToken, func(c *token.Claims) { c.Issuer = "other" }},
		{"subject", audit.DropToken, wire.ReasonToken, func(c *token.Claims) { c.Subject = "other" }},
		{"scope", audit.DropScope, wire.ReasonScope, func(c *token.Claims) { c.Scope = "match-8" }},
		{"platform", audit.DropFingerprint, wire.ReasonFingerprint, func(c *token.Claims) { c.Platform = "ios" }},
		{"certificate", audit.DropFingerprint, wire.ReasonFingerprint, func(c *token.Claims) { c.HasThumbprint = true }},
		{"used", audit.DropUsed, wire.ReasonUsed, func(c *token.Claims) { c.ID = "id of identity" }},
	} {
		t.Run(r.name, func(t *testing.T) {
			d := play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
			r.change(d.mints("second"))
			d.present(d.renew("second")...).is(EventRefused, r.drop, 0)
			d.waits(time.Hour / 20)
			d.toServer(d.clientTick(wire.KindRenew)[0]).nothing() // a copy is not looked at again
			d.now = begin.Add(tokenLife - 1)
			d.toServer(d.clientSends(wire.KindData, "alive")).delivers("alive")
			d.waits(1)
			d.toServer(d.clientSends(wire.KindData, "dead")).ends(audit.DropExpired, r.reason)
		})
	}
}

// A token that does not verify, and one that was good when it was asked for.
func TestRenewNotVerified(t *testing.T) {
	d := play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.present(d.renew("never minted")...).is(EventRefused, audit.DropToken, 0)
	d.now = begin.Add(tokenLife)
	d.tickServer().ends(audit.DropExpired, wire.ReasonToken)

	d = play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	asked := d.toServer(d.renew("second")[0]).verifies()
	d.now = begin.Add(tokenLife + serverDefaults.Overlap)
	d.tickServer().ends(audit.DropExpired, wire.ReasonExpired) // no verdict, no other reason
	d.verifiedAs(d.mints(string(asked.Token)), nil).nothing()
}

// A Verifier of a game's own that returns neither claims nor an error has verified nothing.
func TestVerifiedNothing(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	d.toServer(d.clientTick(wire.KindHello)[0]).verifies()
	if h := d.verifiedAs(nil, nil).refuses(audit.DropToken, wire.ReasonToken); h.Cause != CauseOther {
		t.Errorf("HELLO: %q", h.Cause)
	}
	d = play(t, session.Config{}, session.ClientConfig{})
	d.toServer(d.renew("second")[0]).verifies()
	if h := d.verifiedAs(nil, nil).is(EventRefused, audit.DropToken, 0); h.Cause != CauseOther {
		t.Errorf("RENEW: %q", h.Cause)
	}
	d.exchangesData()
}

// "After a refusal the server looks at no other token for 1 s." PROTOCOL.md 5.3
func TestRenewTooOften(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.present(d.renew("bad")...).is(EventRefused, audit.DropToken, 0)
	d.mints("good")
	d.present(d.renew("good")...).drops(audit.DropRate)
	d.waits(time.Second - 1)
	d.present(d.clientTick(wire.KindRenew)...).drops(audit.DropRate)
	d.waits(1)
	d.present(d.renew("good")...).is(EventRenewed, audit.DropNone, wire.KindRenewed)
}

// "If there was no room, the issuer's keys could not be fetched or the token is not valid yet, it
// looks at the same RENEW again." PROTOCOL.md 5.3
func TestRenewLater(t *testing.T) {
	for _, err := range []error{session.ErrBusy, token.ErrUnavailable, token.ErrNotYetValid} {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.mints("second")
		d.toServer(d.renew("second")[0]).verifies()
		d.verifiedAs(nil, err).is(EventRefused, causeOf(err).Drop(), 0)
		d.waits(200 * time.Millisecond)
		d.toServer(d.clientTick(wire.KindRenew)[0]).drops(audit.DropRate)
		d.waits(time.Second)
		d.toClient(d.present(d.clientTick(wire.KindRenew)...).renews().envelope).renews()
		d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	}
}

// "The session goes on until its expiry, and the CLOSE at its end gives the reason of the refusal."
// PROTOCOL.md 5.3: also of a token that is looked at again and again.
func TestRenewTooEarly(t *testing.T) {
	d := play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.toServer(d.renew("second")[0]).verifies()
	for range 3 {
		d.verifiedAs(nil, token.ErrNotYetValid).is(EventRefused, audit.DropToken, 0)
		d.waits(tokenLife / 5)
		d.toServer(d.clientTick(wire.KindRenew)[0]).verifies()
	}
	d.verifiedAs(nil, token.ErrNotYetValid).is(EventRefused, audit.DropToken, 0)
	d.now = begin.Add(tokenLife)
	d.tickServer().ends(audit.DropExpired, wire.ReasonToken)
}

// "Until then no further epoch is made: another RENEW is dropped `state`." PROTOCOL.md 5.3
func TestRenewBeforeTheLastIsUsed(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.mints("third")
	asked := d.toServer(d.renew("second")[0])
	d.present(d.renew("third")...).drops(audit.DropState) // while another is verified
	d.mints("second")
	d.verifiesToken(asked).renews()
	d.present(d.renew("third")...).drops(audit.DropState)
	if d.server.next.number != 2 {
		t.Errorf("next epoch %d", d.server.next.number)
	}
}

// A RENEW that the client gave up for another one does not leave the client with an epoch it cannot
// use.
func TestRenewReplacedByClient(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.mints("second")
	d.mints("third")
	lost := d.present(d.renew("second")...).renews()
	d.renew("third")
	d.toClient(lost.envelope).renews()
	d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	d.toClient(d.serverSends(wire.KindData, "new")).delivers("new")
	if d.epochs() != [2]uint32{2, 2} {
		t.Errorf("epochs %d", d.epochs())
	}
}

// "A part of the other kind drops the partial body and begins a new one." PROTOCOL.md 2.6
func TestRenewAfterPartialHello(t *testing.T) {
	d, hello := connectWithLongToken(t)
	d.toClient(d.present(hello...).joins().envelope).joins()
	fresh := strings.Repeat("f", 3*wire.MaxPart+len(d.server.answer.reply.Body)) // any length
	d.mints(fresh)
	renew := d.renew(fresh)
	d.toServer(hello[0]).nothing() // a late copy of one part
	for _, p := range renew[:len(renew)-1] {
		d.toServer(p).nothing()
	}
	d.verifiesToken(d.toServer(renew[len(renew)-1]).verifies()).renews()
	if d.server.partial != nil {
		t.Error("the buffer is kept")
	}
}

// A verdict that nobody waits for changes nothing.
func TestVerdictNobodyAskedFor(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	good := d.mints("second")
	d.verifiedAs(good, nil).nothing()
	d.join()
	d.verifiedAs(good, nil).nothing()
	d.present(d.renew("second")...).renews()
	d.verifiedAs(good, nil).nothing()
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input")
	if d.server.next.number != 2 {
		t.Error("the next epoch is another")
	}
}

func TestRenewOfTheClient(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	if err := d.client.Renew(d.now, []byte("second")); err != ErrNotLive {
		t.Errorf("before WELCOME: %v", err)
	}
	d.join()
	for _, n := range []int{0, wire.MaxToken + 1} {
		if err := d.client.Renew(d.now, make([]byte, n)); err != session.ErrHello || d.client.Renewing() {
			t.Errorf("a token of %d bytes: %v", n, err)
		}
	}
	// A RENEWED that nobody asked for, and one that skips an epoch.
	m := wire.Renewed{Epoch: 2}
	d.toClient(d.serverSends(wire.KindRenewed, string(m.AppendTo(nil)))).drops(audit.DropState)
	d.renew("second")
	m.Epoch = 3
	d.toClient(d.serverSends(wire.KindRenewed, string(m.AppendTo(nil)))).drops(audit.DropState)
}
