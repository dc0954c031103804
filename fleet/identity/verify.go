package identity

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// verdict is what a certificate proves.
type verdict struct {
	id      spiffeid.ID // zero unless an authority of ours vouches for it
	expires time.Time
	refusal Refusal
}

// examine makes the checks of the package comment up to TooLong, in its order.
func examine(certs []*x509.Certificate, bundle *x509bundle.Bundle, maxLife time.Duration, now time.Time) verdict {
	if len(certs) == 0 {
		return verdict{refusal: NoCertificate}
	}
	leaf := certs[0]
	if len(leaf.URIs) > 1 {
		return verdict{refusal: SeveralIDs}
	}
	id, err := x509svid.IDFromCert(leaf)
	if err != nil {
		return verdict{refusal: NoID}
	}
	if id.TrustDomain() != bundle.TrustDomain() {
		return verdict{refusal: WrongDomain}
	}
	if leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return verdict{refusal: NotAService}
	}
	// The chain is verified at a time at which the leaf is good, so that a certificate of ours that is
	// not can be told from a stranger's.
	_, chains, err := x509svid.Verify(certs, bundle, x509svid.WithTime(within(now, leaf)))
	if err != nil {
		return verdict{refusal: UnknownIssuer}
	}
	v := verdict{id: id, expires: latest(chains)}
	switch {
	case !now.Before(v.expires):
		v.refusal = Expired
	case leaf.NotBefore.Sub(now) > ClockTolerance:
		v.refusal = NotYetValid
	case maxLife > 0 && leaf.NotAfter.Sub(leaf.NotBefore) > maxLife+ClockTolerance:
		v.refusal = TooLong
	}
	return v
}

// within returns the time nearest to now at which c is good.
func within(now time.Time, c *x509.Certificate) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}

// latest returns until when the best of the chains is good: the earliest end of its certificates.
func latest(chains [][]*x509.Certificate) (t time.Time) {
	for _, chain := range chains {
		end := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
		if end.After(t) {
			t = end
		}
	}
	return t
}

// peer makes all checks of a peer's certificate but NotPermitted. Without allowed, each role that
// may do anything is welcome.
func (s *Source) peer(certs []*x509.Certificate, allowed []Role) (Peer, Refusal) {
	v := examine(certs, s.material.Load().bundle, s.config.MaxLife, time.Now())
	p := Peer{Expires: v.expires}
	if !v.id.IsZero() {
		p.ID = v.id.String()
	}
	if v.refusal != 0 {
		return p, v.refusal
	}
	policy := s.policy.Load()
	if policy.denied[v.id] {
		return p, Denied
	}
	if p.Role = policy.role(v.id); p.Role == NoRole {
		return p, UnknownRole
	}
	p.Permissions = policy.grants[p.Role]
	if allowed == nil && p.Permissions == 0 || allowed != nil && !slices.Contains(allowed, p.Role) {
		return p, WrongRole
	}
	return p, 0
}
