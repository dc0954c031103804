package gameserver

import (
	"crypto/tls"
	"encoding/pem"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/token"
)

// Dev is an identity provider and a certificate for development.
type Dev struct {
	Issuer      *token.Issuer
	Certificate tls.Certificate
	CA          []byte // PEM: vouches for Certificate

	Public  bool // other machines may ask for tokens
	Unbound bool // binding mode none is accepted
}

// NewDev makes fresh keys. The certificate is for loopback and for hosts, addresses or names.
func NewDev(hosts ...string) (*Dev, error) {
	issuer, err := devIssuer(token.SigningKey{})
	if err != nil {
		return nil, err
	}
	certificate, err := dev.NewCertificate(hosts...)
	if err != nil {
		return nil, err
	}
	return &Dev{
		Issuer:      issuer,
		Certificate: certificate,
		CA:          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
	}, nil
}

// devIssuer mints with key, or with a fresh one if that is zero.
func devIssuer(key token.SigningKey) (*token.Issuer, error) {
	return token.NewIssuer(token.IssuerConfig{Issuer: "sallyport-dev", Audience: "sallyport-arena", Key: key})
}

// Verifier accepts the issuer's tokens and no others.
func (d *Dev) Verifier() (*token.Verifier, error) { return token.NewVerifier(d.Issuer.Profile()) }
