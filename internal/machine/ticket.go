package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// features are the feature bits that both ends support.
const features = wire.FeatureReports

// ticket returns the ticket that is sent with the secret of an epoch: with it the client can resume
// the session on another connection while the identity token of that epoch is valid. It returns nil
// if none can be issued.
func (c *Conn) ticket(secret *[32]byte, number uint32, n *names, expires int64, network netip.Prefix) []byte {
	if !c.gate.config.FleetKeys.Enabled() {
		return nil
	}
	key, err := resume.Key(secret)
	if err != nil {
		return nil
	}
	s := c.session
	t := resume.Ticket{
		Name: s.name, Key: key, Issuer: s.issuer, Subject: s.subject, Scope: s.scope,
		TokenID: n.token, Identity: identity.Bytes(identity.Part(n.about(), resume.MaxIdentity)), SignIn: n.signIn, KeyID: n.key, Issued: n.issued,
		Binding: c.binding, Certificate: c.channel.HasCertificate, Bound: s.bound, Digest: digestOf(s.fingerprint, &c.channel),
		Network: network, Epoch: number, Session: s.id,
		Expires: time.Unix(0, expires).UnixMilli(), ClientNext: c.window.Highest() + 1,
	}
	defer clear(t.Key[:])
	sealed, err := t.Seal(nil, c.gate.config.FleetKeys, c.gate.config.Random)
	if err != nil {
		return nil // the names are too long for a ticket
	}
	c.ticketed = true
	return sealed
}

// Resumable reports whether the client has been given a ticket: then the end of the connection does
// not end the session. It belongs to the receiving half.
func (c *Conn) Resumable() bool { return c.ticketed && c.Begun() }

// claimsOf returns what a ticket holds of the claims of its identity token.
func claimsOf(t *resume.Ticket) *token.Claims {
	claims := &token.Claims{
		Issuer: t.Issuer, Subject: t.Subject, ID: t.TokenID, SignIn: t.SignIn, KeyID: t.KeyID,
		Scope: t.Scope, Expires: time.UnixMilli(t.Expires),
	}
	if t.Issued != 0 {
		claims.IssuedAt = time.UnixMilli(t.Issued)
	}
	return claims
}
