package machine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// refusal is a HELLO that does not get in.
type refusal struct {
	name   string
	drop   audit.Drop
	reason wire.Reason
	gate   session.Config
	client session.ClientConfig
	claims func(*token.Claims) // what is wrong with the token's claims
	err    error               // what the verifier says
	hello  func([]byte) []byte // what is wrong with the HELLO body
	retry  time.Duration
}

func withTicket(body []byte) []byte {
	m, err := wire.ParseHello(body)
	if err != nil {
		panic(err)
	}
	m.Token, m.Ticket, m.Proof = nil, []byte("ticket"), make([]byte, wire.ProofLen)
	return m.AppendTo(nil)
}

var refusals = []refusal{
	{name: "malformed", drop: audit.DropMalformed, reason: wire.ReasonMalformed, hello: func(b []byte) []byte { return append(b, 0) }},
	{name: "no token", drop: audit.DropMalformed, reason: wire.ReasonMalformed, hello: func(b []byte) []byte { return b[:37] }},
	{name: "sequence", drop: audit.DropMalformed, reason: wire.ReasonMalformed, hello: func(b []byte) []byte { b[24] = 2; return b }},
	{name: "bad token", drop: audit.DropToken, reason: wire.ReasonToken, err: token.ErrSignature},
	{name: "any error", drop: audit.DropToken, reason: wire.ReasonToken, err: errors.New("else")},
	{name: "verified as expired", drop: audit.DropExpired, reason: wire.ReasonExpired, err: token.ErrExpired},
	{name: "expired since", drop: audit.DropExpired, reason: wire.ReasonExpired, claims: func(c *token.Claims) { c.Expires = begin }},
	{name: "scope of the server", drop: audit.DropScope, reason: wire.ReasonScope, gate: session.Config{Scope: "match-8"}},
	{name: "scope asked for", drop: audit.DropScope, reason: wire.ReasonScope, client: session.ClientConfig{Scope: "match-8"}},
	{name: "not authorized", drop: audit.DropMatch, reason: wire.ReasonScope, gate: session.Config{
		Authorize: func(*session.Admission) error { return errors.New("banned") },
	}},
	{name: "platform", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, claims: func(c *token.Claims) { c.Platform = "ios" }},
	{name: "build", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, claims: func(c *token.Claims) { c.Build = "1.4.3" }},
	{name: "cnf", drop: audit.DropFingerprint, reason: wire.ReasonFingerprint, claims: func(c *token.Claims) { c.HasThumbprint = true }},
	{name: "full", drop: audit.DropFull, reason: wire.ReasonFull, gate: session.Config{MaxSessions: -1}, retry: time.Second},
	{name: "busy", drop: audit.DropBusy, reason: wire.ReasonBusy, err: fmt.Errorf("queue: %w", session.ErrBusy), retry: time.Second},
	{name: "unavailable", drop: audit.DropUnavailable, reason: wire.ReasonUnavailable, err: token.ErrUnavailable, retry: time.Second},
	// "a server refuses that mode, with CLOSE reason 14, unless it is configured otherwise"
	// PROTOCOL.md 6.1
	{name: "binding none", drop: audit.DropBinding, reason: wire.ReasonBinding, client: session.ClientConfig{Unbound: true}},
	{
		name: "binding 2", drop: audit.DropBinding, reason: wire.ReasonBinding, gate: session.Config{AllowUnbound: true},
		hello: func(b []byte) []byte { b[16] = 2; return b },
	},
	{name: "ticket", drop: audit.DropTicket, reason: wire.ReasonTicket, hello: withTicket},
}

// "Otherwise the server answers CLOSE, and the connection takes no other HELLO." PROTOCOL.md 5.1
func TestRefusals(t *testing.T) {
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			r.client.Fingerprint = phone
			d := connectOnly(t, r.gate, r.client)
			if r.claims != nil {
				r.claims(d.claims["identity"])
			}
			if r.hello != nil {
				d.client.hello = r.hello(d.client.hello)
			}
			hello := d.clientTick(wire.KindHello)[0]
			h := d.toServer(hello)
			switch {
			case r.err != nil:
				h = d.verifiedAs(nil, r.err)
			case h.Event.Kind == EventVerify:
				h = d.verifiesToken(h)
			}
			d.staysRefused(hello, h.refuses(r.drop, r.reason), r.retry)
		})
	}
}

// staysRefused checks what holds after each refusal.
func (d *dialogue) staysRefused(hello []byte, h heard, retry time.Duration) {
	d.Helper()
	if again := d.toServer(hello).says(wire.KindClose); !bytes.Equal(again.envelope, h.envelope) {
		d.Error("a copy gets another CLOSE")
	}
	d.mints("second try")
	other := d.connect(session.ClientConfig{}, "second try", channel).clientTick(wire.KindHello)[0]
	d.toServer(other).drops(audit.DropState)
	d.verifiedAs(d.claims["second try"], nil).nothing()
	d.waits(time.Minute)
	d.tickServer().nothing()
	told := d.toClient(h.envelope)
	if told.closes(h.Reason); told.RetryAfter != retry || h.RetryAfter != retry {
		d.Errorf("retry after %v, event %v, want %v", told.RetryAfter, h.RetryAfter, retry)
	}
	if d.server.Session() != nil || d.gate.Len() != 0 {
		d.Error("a session has begun")
	}
}

// "An identity token opens or renews one session once." PROTOCOL.md 5.2
// "it refuses the same token on another connection with CLOSE reason 10" PROTOCOL.md 5.2
func TestRefusedUsedToken(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	thief := d.connect(session.ClientConfig{}, "identity", Channel{})
	thief.present(thief.clientTick(wire.KindHello)...).refuses(audit.DropUsed, wire.ReasonUsed)
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input") // the owner's session goes on
}

// A refusal for want of room does not use the token up.
func TestRefusedFullThenAdmitted(t *testing.T) {
	d := play(t, session.Config{MaxSessions: 1}, session.ClientConfig{})
	d.mints("next")
	next := d.connect(session.ClientConfig{}, "next", channel)
	next.present(next.clientTick(wire.KindHello)...).refuses(audit.DropFull, wire.ReasonFull)
	d.toServer(d.clientSends(wire.KindClose, closeBody))
	d.connect(session.ClientConfig{}, "next", channel).join()
}

// The client must match what the token names: platform, build, certificate.
func TestFingerprintAgrees(t *testing.T) {
	d := connectOnly(t, session.Config{Scope: "match-7"}, session.ClientConfig{})
	ch := channel
	ch.HasCertificate, ch.Thumbprint = true, [32]byte(counting(0xb0, 32))
	c := d.mints("bound")
	c.Platform, c.Build, c.HasThumbprint, c.Thumbprint = phone.Platform, phone.Build, true, ch.Thumbprint
	other := d.mints("bound to another")
	other.HasThumbprint, other.Thumbprint = true, [32]byte{1}
	d.connect(session.ClientConfig{Fingerprint: phone, Scope: "match-7"}, "bound", ch).join()
	wrong := d.connect(session.ClientConfig{Fingerprint: phone}, "bound to another", ch)
	wrong.present(wrong.clientTick(wire.KindHello)...).refuses(audit.DropFingerprint, wire.ReasonFingerprint)
}

// "A server MUST answer a HELLO of a version that it does not serve with a CLOSE of reason 5, whose
// detail is one byte for each version that it does serve." PROTOCOL.md 2.2
func TestRefusedVersion(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	hello := d.clientTick(wire.KindHello)[0]
	foreign := append([]byte{hello[0] + 0x10}, hello[1:]...)
	for _, event := range []EventKind{EventNoted, EventNone} {
		h := d.toServer(foreign).is(event, audit.DropVersion, wire.KindClose)
		if m, err := wire.ParseCloseBody(h.body); err != nil || m.Reason != wire.ReasonVersion || !bytes.Equal(m.Detail, []byte{1}) {
			t.Errorf("%+v, %v", m, err)
		}
	}
	d.toServer(append([]byte{0x23}, hello[1:]...)).drops(audit.DropVersion)
	d.present(hello).joins()
	d.toServer(foreign).drops(audit.DropVersion)
}

// "a client MUST read a CLOSE of any version before WELCOME" PROTOCOL.md 2.2
func TestCloseOfOtherVersion(t *testing.T) {
	b := wire.Envelope{Kind: wire.KindClose, Body: []byte("\x05\x00\x00\x00\x00\x02")}.AppendTo(nil)
	b[0] += 0x10
	play(t, session.Config{}, session.ClientConfig{}).toClient(b).drops(audit.DropVersion)
	connectOnly(t, session.Config{}, session.ClientConfig{}).toClient(b).closes(wire.ReasonVersion)
	b[0]--
	connectOnly(t, session.Config{}, session.ClientConfig{}).toClient(b).drops(audit.DropVersion)
}
