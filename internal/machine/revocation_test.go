package machine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// named gives a token all the names that it can be revoked by.
func addIDs(c *token.Claims) {
	c.SignIn, c.KeyID, c.IssuedAt = "sign-in", "key", begin
}

// "Ends every live session that r concerns with its next datagram", and refuses its tokens from
// then on.
func TestRevoke(t *testing.T) {
	for _, r := range []session.Revocation{
		{Kind: session.RevokeSubject, Value: "SUBJECT"},
		{Kind: session.RevokeToken, Value: "TOKEN"},
		{Kind: session.RevokeSignIn, Value: "sign-in"},
		{Kind: session.RevokeKey, Value: "key"},
		{Kind: session.RevokeBuild, Value: phone.Build},
	} {
		t.Run(r.Kind.String(), func(t *testing.T) {
			d := connectOnly(t, session.Config{}, session.ClientConfig{Fingerprint: phone})
			claims := d.claims["identity"]
			addIDs(claims)
			switch r.Value {
			case "SUBJECT":
				r.Value = claims.Subject
			case "TOKEN":
				r.Value = claims.ID
			}
			if r.Kind != session.RevokeBuild {
				r.Issuer = claims.Issuer
			}
			r.Time = begin.Add(time.Second)
			d.join()
			other := *d.mints("other")
			stranger := r
			stranger.Value += "?"
			if n, err := d.gate.Revoke(d.now, stranger); n != 0 || err != nil {
				t.Fatalf("a stranger's revocation: %d, %v", n, err)
			}
			d.toServer(d.clientSends(wire.KindData, "before")).delivers("before")
			b := d.clientSends(wire.KindData, "in flight")
			if n, err := d.gate.Revoke(d.now, r); n != 1 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if n, err := d.gate.Revoke(d.now, r); n != 0 || err != nil {
				t.Fatalf("again: %d, %v", n, err)
			}
			d.toServer(b).ends(audit.DropRevoked, wire.ReasonRevoked)

			again := d.connect(session.ClientConfig{Fingerprint: phone}, "again", channel)
			shown := *claims
			if r.Kind != session.RevokeToken {
				shown.ID = "another"
			}
			again.claims["again"] = &shown
			again.present(again.clientTick(wire.KindHello)...).refuses(audit.DropRevoked, wire.ReasonRevoked)
			if r.Kind == session.RevokeBuild {
				return
			}
			other.Subject = "somebody else"
			free := d.connect(session.ClientConfig{Fingerprint: phone}, "free", channel)
			free.claims["free"] = &other
			free.present(free.clientTick(wire.KindHello)...).is(EventJoined, audit.DropNone, wire.KindWelcome)
		})
	}
}

// "Tokens of a subject that were issued later are valid"; "A token without a time of issue never
// is".
func TestRevokeSubjectUntil(t *testing.T) {
	at := begin.Add(time.Minute)
	for issued, want := range map[time.Time]bool{
		at.Add(-time.Second): true, at: true, at.Add(time.Nanosecond): false, {}: true,
	} {
		rs := revocations{expiring[revocation]{most: 1}}
		claims := &token.Claims{Issuer: "issuer", Subject: "alice", ID: "id", IssuedAt: issued}
		if _, err := rs.revoke(&session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "alice", Time: at}, 0); err != nil {
			t.Fatal(err)
		}
		if got := rs.covers(at.Add(time.Hour), claims, "") == CauseRevokedPlayer; got != want {
			t.Errorf("issued at %v: concerned %v", issued, got)
		}
	}
}

// "zero means now, by the server's clock"; "With a zero Time every session that the subject has
// here ends, whenever its token was issued": although the clock has been set back since an earlier
// revocation.
func TestRevokeSubjectNow(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	joins := func(identity string) *dialogue {
		d.mints(identity).IssuedAt = d.now
		other := d.connect(session.ClientConfig{}, identity, channel)
		other.join()
		return other
	}
	revoke := func() {
		t.Helper()
		if n, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player"}); n != 1 || err != nil {
			t.Errorf("%d ended, %v", n, err)
		}
	}
	first := joins("first")
	d.mints("older").IssuedAt = d.now
	d.waits(time.Minute)
	revoke()
	first.toServer(first.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
	older := d.connect(session.ClientConfig{}, "older", channel)
	older.present(older.clientTick(wire.KindHello)...).refuses(audit.DropRevoked, wire.ReasonRevoked)
	d.waits(time.Second)
	newer := joins("newer")
	d.gate.StepClock(d.now, -time.Hour)
	revoke()
	newer.toServer(newer.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
}

// Revocations of players and tokens last "until the longest-lived token has expired"; those of keys
// and builds do not expire.
func TestRevocationLife(t *testing.T) {
	for kind := session.RevokeSubject; kind <= session.RevokeBuild; kind++ {
		rs := revocations{expiring[revocation]{most: 10}}
		r := &session.Revocation{Kind: kind, Issuer: "issuer", Value: "name", Time: begin}
		if kind == session.RevokeBuild {
			r.Issuer = ""
		}
		if _, err := rs.revoke(r, 0); err != nil {
			t.Fatal(err)
		}
		claims := &token.Claims{Issuer: "issuer", Subject: "name", ID: "name", SignIn: "name", KeyID: "name"}
		after := begin.Add(token.LongestLife + token.MaxLeeway)
		if rs.covers(after.Add(-1), claims, "name") != revocationCauses[kind] {
			t.Errorf("%v is forgotten too early", kind)
		}
		forGood := kind == session.RevokeKey || kind == session.RevokeBuild
		if (rs.covers(after, claims, "name") != CauseNone) != forGood {
			t.Errorf("%v: after its life, for good %v", kind, forGood)
		}
	}
}

// "A revocation list larger than its bound refuses loudly rather than forgets quietly": the live
// session ends all the same, and those that are known stay.
func TestRevocationsFull(t *testing.T) {
	const most = 3
	d := play(t, session.Config{MaxRevocations: most}, session.ClientConfig{})
	subject := func(i int, at time.Time) session.Revocation {
		return session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: fmt.Sprint("player ", i), Time: at}
	}
	for i := range most {
		if _, err := d.gate.Revoke(d.now, subject(i, begin)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.gate.Revoke(d.now, subject(0, begin)); err != nil {
		t.Errorf("one that is known: %v", err)
	}
	live := session.Revocation{Kind: session.RevokeToken, Issuer: d.claims["identity"].Issuer, Value: d.claims["identity"].ID, Time: begin}
	if n, err := d.gate.Revoke(d.now, live); n != 1 || !errors.Is(err, session.ErrRevocationsFull) {
		t.Errorf("%d, %v", n, err)
	}
	d.toServer(d.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
	for _, at := range []time.Time{begin.Add(revocationLife), begin.AddDate(100, 0, 0), begin.AddDate(8000, 0, 0)} {
		if _, err := d.gate.Revoke(d.now, subject(9, at)); !errors.Is(err, session.ErrRevocationsFull) {
			t.Errorf("one as of %v, which is still to come, makes others expire: %v", at, err)
		}
	}
	d.gate.latest = begin.Add(revocationLife).UnixNano()
	if _, err := d.gate.Revoke(d.now, subject(9, begin.Add(revocationLife))); err != nil {
		t.Errorf("after the others have expired: %v", err)
	}
	if n := len(d.gate.revoked.entries); n != 1 {
		t.Errorf("%d are remembered", n)
	}
}

// A time that no clock shows revokes no less than one that a clock does.
func TestRevocationOfAnyTime(t *testing.T) {
	claims := &token.Claims{Issuer: "issuer", Subject: "name", IssuedAt: begin}
	for at, want := range map[time.Time]Cause{
		begin.Add(-time.Second):  CauseNone, // issued later
		begin:                    CauseRevokedPlayer,
		begin.AddDate(1, 0, 0):   CauseRevokedPlayer,
		begin.AddDate(400, 0, 0): CauseRevokedPlayer, // more nanoseconds than there are
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC): CauseRevokedPlayer,
		time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC):      CauseNone,
	} {
		rs := revocations{expiring[revocation]{most: 10}}
		r := &session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "name", Time: at}
		if _, err := rs.revoke(r, begin.UnixNano()); err != nil {
			t.Fatal(err)
		}
		if got := rs.covers(begin, claims, ""); got != want {
			t.Errorf("as of %v: %v, want %v", at, got, want)
		}
	}
}

func TestRevocationRefused(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for _, r := range []session.Revocation{
		{},
		{Kind: session.RevokeBuild + 1, Issuer: "i", Value: "v"},
		{Kind: session.RevokeSubject, Value: "v"},
		{Kind: session.RevokeToken, Issuer: "i"},
		{Kind: session.RevokeBuild, Issuer: "i", Value: "v"},
		{Kind: session.RevokeBuild},
	} {
		if n, err := d.gate.Revoke(d.now, r); n != 0 || !errors.Is(err, session.ErrRevocation) {
			t.Errorf("%+v: %d, %v", r, n, err)
		}
	}
	d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
}

func TestRevokeSession(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	id := d.server.Session().ID()
	if d.gate.RevokeSession(id + 1) {
		t.Error("revoked a session that is none")
	}
	if !d.gate.RevokeSession(id) || d.gate.RevokeSession(id) {
		t.Error("a session is revoked once")
	}
	d.toServer(d.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
}

// A renewal is refused like a HELLO.
func TestRevokedRenewal(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	claims := d.mints("stolen")
	r := session.Revocation{Kind: session.RevokeToken, Issuer: claims.Issuer, Value: claims.ID, Time: d.now}
	if n, err := d.gate.Revoke(d.now, r); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	d.present(d.renew("stolen")...).is(EventRefused, audit.DropRevoked, 0)
	d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
}
