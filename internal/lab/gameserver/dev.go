package gameserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"github.com/sallyport/sallyport/token"
)

// devLife is how long a development certificate is good.
const devLife = 30 * 24 * time.Hour

// Dev is an identity provider and a certificate for development.
type Dev struct {
	Issuer      *token.Issuer
	Certificate tls.Certificate
	CA          []byte // PEM: vouches for Certificate
}

// NewDev makes fresh keys. The certificate is for loopback and for hosts, addresses or names.
func NewDev(hosts ...string) (*Dev, error) {
	issuer, err := devIssuer(token.SigningKey{})
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := devTemplate(append(hosts, "localhost", "127.0.0.1", "::1"))
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Dev{
		Issuer:      issuer,
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		CA:          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// devIssuer mints with key, or with a fresh one if that is zero.
func devIssuer(key token.SigningKey) (*token.Issuer, error) {
	return token.NewIssuer(token.IssuerConfig{Issuer: "sallyport-dev", Audience: "sallyport-arena", Key: key})
}

// devTemplate describes a certificate that signs itself and nothing else: no path may go on from it.
func devTemplate(hosts []string) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "Sallyport development"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(devLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else if h != "" {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	return c
}

// Verifier accepts the issuer's tokens and no others.
func (d *Dev) Verifier() (*token.Verifier, error) { return token.NewVerifier(d.Issuer.Profile()) }
