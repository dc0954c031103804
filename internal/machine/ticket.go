package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// features are the bits that this end knows.
const features = wire.FeatureReports

// ticket is what goes with the secret of an epoch, so that its player can resume the session on another connection
// as long as the identity token of that epoch lives; nil if none can be issued.
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
		TokenID: n.token, SignIn: n.signIn, KeyID: n.key, Issued: n.issued,
		Binding: c.binding, Certificate: c.channel.HasCertificate, Bound: s.bound, Digest: digestOf(s.fingerprint, &c.channel),
		Network: network, Epoch: number, Session: s.id,
		Expires: time.Unix(0, expires).UnixMilli(), ClientNext: c.window.Highest() + 1,
	}
	defer clear(t.Key[:])
	sealed, err := t.Seal(nil, c.gate.config.FleetKeys, c.gate.config.Random)
	if err != nil {
		return nil // names too long for one: the player goes on without
	}
	c.ticketed = true
	return sealed
}

// Resumable says whether the player has been given a ticket: then the end of the connection is not the end of the
// session. It belongs to the receiving half.
func (c *Conn) Resumable() bool { return c.ticketed && c.begun() }

// claimsOf is what a ticket still knows of the identity token behind it.
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
