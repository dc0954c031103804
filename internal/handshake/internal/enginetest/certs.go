package enginetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// ServerName is the name in the server certificates; 127.0.0.1 is in them too.
const ServerName = "match.example"

// Authority signs certificates that are valid in virtual time as well as today.
type Authority struct {
	Pool *x509.CertPool
	cert *x509.Certificate
	key  crypto.Signer
}

// The key of each authority and certificate is one of these, because an RSA key takes a moment to make.
var (
	ecKeys  = sync.OnceValue(func() []crypto.Signer { return []crypto.Signer{newEC(), newEC(), newEC()} })
	rsaKeys = sync.OnceValue(func() []crypto.Signer { return []crypto.Signer{newRSA(2048), newRSA(2048)} })
)

func newEC() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func newRSA(bits int) crypto.Signer { return must(rsa.GenerateKey(rand.Reader, bits)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// NewAuthority returns an authority with a fresh name and an ECDSA or RSA key.
func NewAuthority(name string, isRSA bool) *Authority {
	key := ecKeys()[0]
	if isRSA {
		key = rsaKeys()[0]
	}
	a := &Authority{Pool: x509.NewCertPool(), key: key}
	tmpl := template(name)
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key))))
	a.Pool.AddCert(a.cert)
	return a
}

func template(name string) *x509.Certificate {
	serial := must(rand.Int(rand.Reader, big.NewInt(1<<62)))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		SubjectKeyId: serial.Bytes(),
		NotBefore:    time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// Issue returns a certificate for key, for both ends' use.
func (a *Authority) Issue(name string, key crypto.Signer) *tls.Certificate {
	return a.IssueUntil(name, key, a.cert.NotAfter)
}

// IssueUntil is Issue for a certificate that expires at another time than usual.
func (a *Authority) IssueUntil(name string, key crypto.Signer, until time.Time) *tls.Certificate {
	tmpl := template(name)
	tmpl.NotAfter = until
	tmpl.DNSNames, tmpl.IPAddresses = []string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key))
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

// Keys are one of each kind that engines take, and two that they do not.
func Keys(t testing.TB) (ec, otherEC, rsa2048, p384, ed crypto.Signer) {
	t.Helper()
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ecKeys()[1], ecKeys()[2], rsaKeys()[1], must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), edKey
}

// Fixed returns a Config.Certificate that always gives the same answer.
func Fixed(c *tls.Certificate) func() *tls.Certificate { return func() *tls.Certificate { return c } }
