package machine

import (
	"math"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// lastMoment lets a player show a fresh token when the session is about to end, and returns what
// the server wants verified.
func lastMoment(t *testing.T, config session.Config) (*dialogue, heard) {
	config.Idle = time.Hour
	d := play(t, config, session.ClientConfig{})
	d.now = begin.Add(tokenLife + config.Leeway - 1)
	d.mints("second")
	return d, d.toServer(d.renew("second")[0]).verifies()
}

// "A session whose client has shown a token in time outlives its expiry and leeway for another 5 s, as
// long as that token is neither refused nor in use" PROTOCOL.md 5.3
func TestExpiryWhileRenewed(t *testing.T) {
	const overlap = 5 * time.Second
	for name, moment := range map[string]struct{ verified, answered time.Duration }{
		"the verdict is late":        {overlap - 1, overlap - 1},
		"RENEWED is late":            {0, overlap - 1},
		"both":                       {overlap / 2, overlap - 1},
		"the first datagram is late": {0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			d, asked := lastMoment(t, session.Config{})
			end := d.now.Add(1)
			d.now = end
			d.tickServer().nothing()
			d.toServer(d.clientSends(wire.KindData, "in the old epoch")).delivers("in the old epoch")
			d.now = end.Add(moment.verified)
			renewed := d.verifiesToken(asked).renews()
			d.now = end.Add(moment.answered)
			d.tickServer().nothing()
			d.toClient(renewed.envelope).renews()
			d.toServer(d.clientSends(wire.KindData, "in the new one")).delivers("in the new one")
			d.now = end.Add(time.Minute)
			d.exchangesData()
		})
	}
}

// "but no longer than the longest leeway, 30 s" PROTOCOL.md 5.3, and no longer for any other token.
func TestExpiryWhileRenewedIsNear(t *testing.T) {
	for leeway, late := range map[time.Duration]time.Duration{0: 5 * time.Second, 10 * time.Second: 5 * time.Second, 28 * time.Second: 2 * time.Second, token.MaxLeeway: 0} {
		for _, verified := range []bool{false, true} {
			d, asked := lastMoment(t, session.Config{Leeway: leeway})
			if verified {
				d.verifiesToken(asked).renews()
			}
			d.waits(late)
			d.tickServer().nothing()
			d.toServer(d.clientSends(wire.KindData, "alive")).delivers("alive")
			d.waits(1)
			d.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
		}
	}
	d := play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.mints("second")
	d.now = begin.Add(tokenLife)
	d.toServer(d.renew("second")[0]).ends(audit.DropExpired, wire.ReasonExpired) // not in time
}

// A token that is refused, or revoked before its epoch begins, ends the session that has outlived its own.
func TestExpiryWhileRenewedInVain(t *testing.T) {
	d, _ := lastMoment(t, session.Config{})
	d.waits(time.Second)
	d.toServer(d.clientSends(wire.KindData, "alive")).delivers("alive")
	d.verifiedAs(nil, token.ErrSignature).is(EventRefused, audit.DropToken, 0)
	d.tickServer().ends(audit.DropExpired, wire.ReasonToken)

	d, asked := lastMoment(t, session.Config{})
	d.waits(time.Second)
	d.toClient(d.verifiesToken(asked).renews().envelope).renews()
	if _, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of second"}); err != nil {
		t.Fatal(err)
	}
	d.toServer(d.clientSends(wire.KindData, "in the new epoch")).ends(audit.DropRevoked, wire.ReasonRevoked)
}

// The process may be followed by another one meanwhile.
func TestExpiryWhileRenewedAcrossRestart(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.now = begin.Add(tokenLife - 1)
	addIDs(d.mints("second"))
	renewed := d.present(d.renew("second")...).renews()
	d.waits(3 * time.Second)
	r := d.restarts()
	r.waits(time.Second)
	r.toClient(renewed.envelope).renews()
	r.exchangesData()
	r.waits(time.Minute)
	r.exchangesData()
}

// Who has RENEWED, and loses its path before the new epoch is used, goes on by the ticket of RENEWED at
// once: nobody waits until the session's former connection has ended.
func TestExpiryWhileRenewedAndResumed(t *testing.T) {
	const overlap = 5 * time.Second
	for name, moment := range map[string]struct{ shown, welcomed, first time.Duration }{ // after the expiry
		"at the expiry":              {0, 0, 0},
		"at last":                    {overlap - 1, overlap - 1, overlap - 1},
		"WELCOME is late":            {-time.Second, time.Second, time.Second},
		"the first datagram is late": {-2 * time.Second, -time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
			end := begin.Add(tokenLife)
			d.now = end.Add(-2 * time.Second)
			d.renewsWith("second")
			d.now = end.Add(moment.shown)
			r := d.reconnects(d.gate, home)
			welcome := r.showsTicket()
			r.now = end.Add(moment.welcomed)
			r.takesWelcome(welcome)
			r.now = end.Add(moment.first)
			r.tickServer().nothing()
			r.sendsFirstDatagram()
			r.waits(tokenLife / 2)
			r.exchangesData()
		})
	}
}

// An overlap that is longer than any leeway makes no session end before its time.
func TestExpiryWithLongestOverlap(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour, Leeway: 1, Overlap: math.MaxInt64}, session.ClientConfig{})
	d.renewsWith("second")
	d.restarts().exchangesData()
}

// "A refusal for reason 11, 12 or 16 does not count: the client shows the token again."
// PROTOCOL.md 5.3. No more time passes than for any other.
func TestExpiryWhileRenewedAgain(t *testing.T) {
	for _, err := range []error{session.ErrBusy, token.ErrUnavailable} {
		d, _ := lastMoment(t, session.Config{})
		d.verifiedAs(nil, err).is(EventRefused, causeOf(err).Drop(), 0)
		d.waits(time.Second)
		d.tickServer().nothing()
		d.toClient(d.present(d.clientTick(wire.KindRenew)...).renews().envelope).renews()
		d.exchangesData()
		d.waits(time.Minute)
		d.exchangesData()

		d, _ = lastMoment(t, session.Config{})
		for range 5 {
			d.verifiedAs(nil, err).is(EventRefused, causeOf(err).Drop(), 0)
			d.waits(time.Second)
			d.toServer(d.clientTick(wire.KindRenew)[0]).verifies()
		}
		d.waits(1)
		d.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
	}
}

// The same of a token that comes in a BEARER.
func TestExpiryWhileBearerIsVerified(t *testing.T) {
	for _, busy := range []bool{false, true} {
		d := playBearer(t)
		d.gate.config.Idle = time.Hour
		d.now = begin.Add(tokenLife - 1)
		d.mints("fresh")
		asked := d.toServer(d.bearer("fresh", "a")).is(EventVerify, audit.DropToken, 0)
		d.waits(time.Second)
		if busy {
			d.verifiedAs(nil, session.ErrBusy).drops(audit.DropBusy)
			d.waits(time.Second)
			asked = d.toServer(d.bearer("fresh", "b")).is(EventVerify, audit.DropToken, 0)
		}
		d.verifiesToken(asked).renews()
		d.waits(time.Minute)
		d.toServer(d.bearer("fresh", "c")).delivers("c")
	}
}

// "The session's next connection on the server has what is left of that time." PROTOCOL.md 5.3. A
// session that stands on that token, by the ticket of RENEWED, ends with it.
func TestExpiryWhileRenewedOnFormer(t *testing.T) {
	for name, verified := range map[string]bool{"no verdict": false, "RENEWED is lost": true} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
			d.waits(tokenLife - time.Second)
			d.mints("second")
			d.mints("third")
			asked := d.toServer(d.renew("second")[0]).verifies()
			if verified {
				d.verifiesToken(asked).renews()
			}
			r := d.resumesHere()
			r.waits(time.Second + 1)
			r.tickServer().nothing()
			r.toClient(r.present(r.renew("third")...).renews().envelope).renews()
			r.exchangesData()
			r.waits(time.Minute)
			r.exchangesData()
		})
	}
	d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.waits(tokenLife / 2)
	d.renewsWith("second")
	r := d.resumesHere()
	r.waits(tokenLife)
	r.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
}

// "If the session would be over when a server that has stalled comes to read the token, the time begins
// then." PROTOCOL.md 5.3. It does so once.
func TestExpiryWhileRenewedAfterStall(t *testing.T) {
	for stall, more := range map[time.Duration]time.Duration{
		8 * time.Second: 5 * time.Second, token.MaxLeeway - time.Second: time.Second,
	} {
		d := play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
		d.now = begin.Add(tokenLife - 1)
		d.mints("second")
		renew, after := d.renew("second")[0], d.clientSends(wire.KindData, "after")
		d.waits(stall + 1)
		d.arrivesLate(stall+2, renew).verifies()
		d.arrivesLate(time.Second, after).delivers("after")
		d.verifiedAs(nil, session.ErrBusy).is(EventRefused, audit.DropBusy, 0)
		d.waits(more - 1)
		d.tickServer().nothing()
		if stall == 8*time.Second {
			d.toClient(d.present(d.clientTick(wire.KindRenew)...).renews().envelope).renews()
			d.exchangesData()
			d.waits(time.Minute)
			d.exchangesData()
			continue
		}
		d.waits(1)
		d.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
	}
}

// The same where the server stalls between reading the token and its verdict.
func TestExpiryWhileVerdictIsLate(t *testing.T) {
	d, asked := lastMoment(t, session.Config{})
	after := d.clientSends(wire.KindData, "after")
	d.waits(8 * time.Second)
	renewed := d.verifiesToken(asked).renews() // verdicts come before datagrams and before Tick
	d.toServer(after).delivers("after")
	d.tickServer().nothing()
	d.waits(5*time.Second - time.Millisecond)
	d.toClient(renewed.envelope).renews()
	d.exchangesData()
	d.waits(time.Minute)
	d.exchangesData()
}
