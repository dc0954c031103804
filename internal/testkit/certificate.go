package testkit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// ServerName is a name that server certificates are for, besides the loopback addresses.
const ServerName = "localhost"

var (
	notBefore = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Authority is a certificate authority with an ECDSA P-256 key. It is safe for concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority returns an authority that no other trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{key: newKey(t)}
	c := template("authority of " + t.Name())
	c.IsCA, c.MaxPathLenZero = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	a.certificate = a.sign(t, c, c, a.key.Public())
	return a
}

// Pool trusts this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.certificate)
	return p
}

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Server returns a server certificate with an ECDSA P-256 key.
func (a *Authority) Server(t testing.TB) *tls.Certificate {
	t.Helper()
	return a.leaf(t, serverTemplate(), newKey(t))
}

// ServerRSA returns a server certificate with an RSA key of 2,048 bits.
func (a *Authority) ServerRSA(t testing.TB) *tls.Certificate {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return a.leaf(t, serverTemplate(), key)
}

// Client returns a client certificate with an ECDSA P-256 key.
func (a *Authority) Client(t testing.TB, name string) *tls.Certificate {
	t.Helper()
	c := template(name)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.leaf(t, c, newKey(t))
}

// Thumbprint returns the SHA-256 of a leaf certificate: cnf x5t#S256 of RFC 8705 before base64.
func Thumbprint(c *tls.Certificate) [32]byte { return sha256.Sum256(c.Certificate[0]) }

func (a *Authority) leaf(t testing.TB, c *x509.Certificate, key crypto.Signer) *tls.Certificate {
	t.Helper()
	leaf := a.sign(t, c, a.certificate, key.Public())
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func (a *Authority) sign(t testing.TB, c, parent *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func serverTemplate() *x509.Certificate {
	c := template(ServerName)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.DNSNames = []string{ServerName}
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return c
}

func template(name string) *x509.Certificate {
	var serial [16]byte
	rand.Read(serial[:])
	serial[0] &= 0x7f // a positive number (RFC 5280 4.1.2.2)
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial[:]),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
