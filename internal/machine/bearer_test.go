package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// bearer returns a BEARER with any token, under the client's next sequence number.
func (d *dialogue) bearer(identity, payload string) []byte {
	d.Helper()
	m := wire.BearerBody{Token: []byte(identity), Payload: []byte(payload)}
	return d.clientSends(wire.KindBearer, string(m.AppendTo(nil)))
}

func playBearer(t testing.TB) *dialogue {
	t.Helper()
	return play(t, session.Config{
		AllowBearer: true, Behaviour: policy.BehaviourConfig{DatagramBurst: 10_000, Flag: 10_000, Limit: 10_000, Revoke: 10_000},
		Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire},
	}, session.ClientConfig{Bearer: true})
}

// "A server accepts it only if it is configured to" PROTOCOL.md 3.9
func TestBearerAllowed(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{Bearer: true})
	if h := d.toServer(d.clientSends(wire.KindData, "input")).is(EventNoted, audit.DropState, 0); h.Cause != CauseBearer {
		t.Error(h.Cause)
	}
	d.toServer(d.clientSends(wire.KindData, "input")).drops(audit.DropState)

	d = playBearer(t)
	b := d.clientSends(wire.KindData, "input")
	if e, err := wire.Parse(b); err != nil || e.Kind != wire.KindBearer || e.Tag != (wire.Tag{}) || e.Seq != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	d.toServer(b).delivers("input")
	d.toServer(b).drops(audit.DropReplay)
	d.toServer(d.clientSends(wire.KindPing, pingBody)).says(wire.KindPong) // other kinds have tags
	d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
}

// "A client MUST refuse to send a token and a payload that do not fit one datagram together."
// PROTOCOL.md 3.9
func TestBearerTooLarge(t *testing.T) {
	d := playBearer(t)
	n := wire.MaxBody - 2 - len("identity")
	if d.client.MaxPayload() != n {
		t.Errorf("MaxPayload %d, want %d", d.client.MaxPayload(), n)
	}
	for _, more := range []int{1, 2, wire.MaxBody} {
		if _, err := d.client.Append(nil, wire.KindData, make([]byte, n+more)); err != session.ErrBearerTooLarge {
			t.Errorf("%d bytes too many: %v", more, err)
		}
	}
	full := strings.Repeat("x", n)
	d.toServer(d.clientSends(wire.KindData, full)).delivers(full)
}

// The steps of the receive list hold, but for those that the token's own check stands for.
func TestBearerSteps(t *testing.T) {
	for _, f := range faults {
		d := playBearer(t)
		b := d.clientSends(wire.KindData, "input")
		switch f.drop {
		case audit.DropEpoch, audit.DropTag:
			f.spoil(b)
			d.toServer(b).drops(audit.DropMalformed) // both are zero
			continue
		case audit.DropState:
			continue
		}
		if f.state != nil {
			f.state(d)
		}
		if f.spoil != nil {
			f.spoil(b)
		}
		if h := d.toServer(b); h.Drop != f.drop {
			t.Errorf("step %s: dropped %v, want %v", f.step, h.Drop, f.drop)
		}
	}
	d := playBearer(t)
	d.toServer(d.clientSends(wire.KindBearer, "\x00\x00input")).drops(audit.DropMalformed)
	d.toServer(d.clientSends(wire.KindBearer, "\x00\x09identity")).drops(audit.DropMalformed)
}

// RENEW moves BEARER to the new token, with the epoch's own overlap.
func TestBearerRenewal(t *testing.T) {
	d := playBearer(t)
	old, older := d.clientSends(wire.KindData, "old"), d.clientSends(wire.KindData, "older")
	d.renewsWith("second")
	b := d.clientSends(wire.KindData, "new")
	if !strings.Contains(string(b), "second") {
		t.Error("the client sends the old token")
	}
	d.toServer(b).delivers("new")
	if d.epochs()[0] != 2 || d.server.Session().TokenID() != "id of second" {
		t.Error("the new token's datagram did not move the epoch")
	}
	d.waits(serverDefaults.Overlap - 1)
	d.toServer(old).delivers("old")
	d.waits(1)
	d.toServer(older).is(EventVerify, audit.DropToken, 0)
}

// "To a client that sends BEARER it does not: RENEWED does not say which token it is for, and the
// client would send the other one." PROTOCOL.md 5.3. The session goes on with the tokens that it
// has.
func TestBearerRenewedLost(t *testing.T) {
	d := playBearer(t)
	d.toServer(d.clientSends(wire.KindData, "a")).delivers("a")
	d.mints("second")
	d.present(d.renew("second")...).renews() // and lost
	d.mints("third")
	d.toServer(d.renew("third")[0]).drops(audit.DropState)
	d.waits(time.Second)
	d.tickServer().nothing()
	d.toServer(d.clientSends(wire.KindData, "b")).delivers("b")
	d.toClient(d.toServer(d.renew("second")[0]).says(wire.KindRenewed).envelope).renews()
	d.toServer(d.clientSends(wire.KindData, "c")).delivers("c")
	if d.epochs()[0] != 2 {
		t.Error("the token is not taken")
	}
}

// "or a new one of the same issuer, subject and scope, whose datagrams are dropped until it has
// been verified" PROTOCOL.md 3.9
func TestBearerUnknownToken(t *testing.T) {
	d := playBearer(t)
	d.mints("fresh").Expires = begin.Add(2 * tokenLife)
	b := d.bearer("fresh", "a")
	asked := d.toServer(b).is(EventVerify, audit.DropToken, 0)
	d.toServer(d.bearer("fresh", "b")).drops(audit.DropToken) // asked once
	d.toServer(d.bearer("another", "b")).drops(audit.DropToken)
	d.toServer(d.clientSends(wire.KindData, "c")).delivers("c")
	d.verifiesToken(asked).is(EventRenewed, audit.DropNone, 0)
	d.toServer(d.bearer("fresh", "d")).delivers("d")
	d.toServer(b).delivers("a") // its number was not marked
	if s := d.server.Session(); s.TokenID() != "id of fresh" || !s.Expires().Equal(begin.Add(2*tokenLife)) {
		t.Errorf("token %q until %v", s.TokenID(), s.Expires())
	}
	thief := d.connect(session.ClientConfig{}, "fresh", channel)
	thief.present(thief.clientTick(wire.KindHello)...).refuses(audit.DropUsed, wire.ReasonUsed)
}

// A refused token counts as a wrong tag does: "8 in a row revoke the session." PROTOCOL.md 4.8
func TestBearerBadTokens(t *testing.T) {
	d := playBearer(t)
	d.mints("other").Subject = "other"
	bad := func(identity string) heard {
		d.waits(time.Second)
		return d.verifiesToken(d.toServer(d.bearer(identity, "input")).is(EventVerify, audit.DropToken, 0))
	}
	for range serverDefaults.BadTags - 1 {
		bad("bad").is(EventRefused, audit.DropToken, 0)
	}
	d.toServer(d.clientSends(wire.KindData, "good")).delivers("good")
	for range serverDefaults.BadTags - 1 {
		bad("other").is(EventRefused, audit.DropToken, 0)
	}
	d.toServer(d.bearer("bad", "input")).drops(audit.DropToken) // too soon: not even looked at
	bad("bad").ends(audit.DropToken, wire.ReasonToken)
	if !d.server.Session().Revoked() {
		t.Error("not revoked")
	}
}

// A failure that is not the token's fault does not count against the session.
func TestBearerVerifierBusy(t *testing.T) {
	d := playBearer(t)
	d.mints("fresh")
	for range 2 * serverDefaults.BadTags {
		for _, err := range []error{session.ErrBusy, token.ErrUnavailable} {
			d.toServer(d.bearer("fresh", "input")).is(EventVerify, audit.DropToken, 0)
			d.verifiedAs(nil, err).drops(causeOf(err).Drop())
			d.waits(time.Second)
		}
	}
	d.verifiesToken(d.toServer(d.bearer("fresh", "input"))).renews()
}
