package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// Domain is the trust domain of New.
const Domain = "game.example"

// Authority is the authority of a trust domain. Its methods are safe for concurrent use.
type Authority struct {
	domain spiffeid.TrustDomain
	tb     testing.TB

	rotation sync.Mutex // one Rotate at a time; taken before mu

	mu sync.Mutex
	// +checklocks:mu
	certificate *x509.Certificate
	// +checklocks:mu
	key *ecdsa.PrivateKey
	// +checklocks:mu
	bundle []*x509.Certificate // this authority's certificates, the newest last
	// +checklocks:mu
	life time.Duration
	// +checklocks:mu
	services []func() // each renews one service
}

// New returns the authority of Domain. Its certificates are good for an hour, from a minute ago on.
func New(tb testing.TB) *Authority { return NewDomain(tb, Domain) }

// NewDomain returns the authority of another trust domain, or another one of the same.
func NewDomain(tb testing.TB, domain string) *Authority {
	tb.Helper()
	a := &Authority{domain: spiffeid.RequireTrustDomainFromString(domain), tb: tb, life: time.Hour}
	a.replace()
	return a
}

// SetLife changes how long certificates are good that are made from now on. Their first minute, if
// they have that long, is over.
func (a *Authority) SetLife(life time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.life = life
}

// Rotate gives each service of Files, Source, Serve and WorkloadSource a new certificate and key, and
// the bundle of now.
func (a *Authority) Rotate() {
	a.rotation.Lock()
	defer a.rotation.Unlock()
	a.mu.Lock()
	services := append([]func(){}, a.services...)
	a.mu.Unlock()
	for _, renew := range services {
		renew()
	}
}

// RotateEvery calls Rotate each interval until the test ends.
func (a *Authority) RotateEvery(interval time.Duration) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				a.Rotate()
			}
		}
	})
	a.tb.Cleanup(func() { close(done); wg.Wait() })
}

// ReplaceAuthority makes a new key of the authority, which signs from now on. Both are in the bundle
// until Retire. Services learn of it by Rotate.
func (a *Authority) ReplaceAuthority() { a.replace() }

// Retire takes all but the newest key of the authority out of the bundle. Services learn of it by
// Rotate.
func (a *Authority) Retire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bundle = a.bundle[len(a.bundle)-1:]
}

// Bundle returns the trust bundle.
func (a *Authority) Bundle() *x509bundle.Bundle {
	a.mu.Lock()
	defer a.mu.Unlock()
	return x509bundle.FromX509Authorities(a.domain, a.bundle)
}

// ID returns the SPIFFE id with this path, such as identity.GameState.Path("eu-7").
func (a *Authority) ID(path string) string {
	return spiffeid.RequireFromPath(a.domain, path).String()
}

// Issue returns a certificate for the SPIFFE id with this path. Each of change may alter it before
// it is signed.
func (a *Authority) Issue(path string, change ...func(*x509.Certificate)) *x509svid.SVID {
	a.tb.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	id := spiffeid.RequireFromPath(a.domain, path)
	now := time.Now()
	before := now.Add(-min(time.Minute, a.life))
	c := template(before, now.Add(a.life))
	c.URIs = []*url.URL{id.URL()}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	for _, f := range change {
		f(c)
	}
	key := a.newKey()
	return &x509svid.SVID{ID: id, Certificates: []*x509.Certificate{a.sign(c, a.certificate, key, a.key)}, PrivateKey: key}
}

// replace makes a new key and certificate of the authority.
func (a *Authority) replace() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key = a.newKey()
	c := template(time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour))
	c.URIs = []*url.URL{a.domain.ID().URL()}
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	a.certificate = a.sign(c, c, a.key, a.key)
	a.bundle = append(a.bundle, a.certificate)
}

func template(before, after time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // the system has no randomness
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test " + serial.Text(36)},
		NotBefore: before, NotAfter: after, BasicConstraintsValid: true,
	}
}

func (a *Authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Error(err)
	}
	return key
}

func (a *Authority) sign(c, parent *x509.Certificate, of, by *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, c, parent, of.Public(), by)
	if err != nil {
		a.tb.Error(err)
		return c
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Error(err)
		return c
	}
	return signed
}
