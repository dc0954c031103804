package testkit

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/token"
)

// "Certificates hold from 1990 to 2100", "for 127.0.0.1, ::1 and localhost".
func TestServerCertificates(t *testing.T) {
	a, other := NewAuthority(t), NewAuthority(t)
	for kind, c := range map[string]*tls.Certificate{"ECDSA": a.Server(t), "RSA": a.ServerRSA(t)} {
		for _, name := range []string{"127.0.0.1", "::1", ServerName} {
			for _, now := range []time.Time{notBefore, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Now(), notAfter} {
				if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: name, CurrentTime: now}); err != nil {
					t.Errorf("%s, %s, %v: %v", kind, name, now, err)
				}
			}
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: other.Pool()}); err == nil {
			t.Errorf("%s: another authority trusts it", kind)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: "example.com"}); err == nil {
			t.Errorf("%s: it is for any name", kind)
		}
	}
	if k := a.Server(t).PrivateKey.(*ecdsa.PrivateKey); k.Curve != elliptic.P256() {
		t.Error("not P-256")
	}
	if k := a.ServerRSA(t).PrivateKey.(*rsa.PrivateKey); k.N.BitLen() != 2048 {
		t.Error("not 2,048 bits")
	}
}

// Both ends of a connection accept each other, in a bubble too: a pipe with TLS stands for DTLS here.
func TestCertificatesServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAuthority(t)
		alice := a.Client(t, "alice")
		for _, server := range []*tls.Certificate{a.Server(t), a.ServerRSA(t)} {
			near, far := net.Pipe()
			s := tls.Server(far, &tls.Config{
				Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool(),
			})
			c := tls.Client(near, &tls.Config{
				Certificates: []tls.Certificate{*alice}, RootCAs: a.Pool(), ServerName: ServerName,
			})
			ended := make(chan error)
			go func() { ended <- s.Handshake() }()
			if err := errors.Join(c.Handshake(), <-ended); err != nil {
				t.Fatal(err)
			}
			peer := s.ConnectionState().PeerCertificates[0]
			if peer.Subject.CommonName != "alice" || Thumbprint(&tls.Certificate{Certificate: [][]byte{peer.Raw}}) != Thumbprint(alice) {
				t.Error("the server sees another certificate")
			}
			near.Close()
			far.Close()
		}
	})
}

// "valid from the present instant, which in a bubble is the bubble's", "whose tokens no other's Verifier accepts"
func TestIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := NewIssuer(t)
		raw := []byte(i.Token(t, token.Grant{Subject: "alice", Scope: "match"}))
		v := i.Verifier(t)
		c, err := v.Verify(context.Background(), time.Now(), raw)
		if err != nil || c.Issuer != IssuerName || c.Subject != "alice" || c.Audience[0] != Audience {
			t.Fatalf("%+v, %v", c, err)
		}
		if _, err := v.Verify(context.Background(), time.Now().Add(time.Hour), raw); !errors.Is(err, token.ErrExpired) {
			t.Errorf("an hour later: %v", err)
		}
		if _, err := NewIssuer(t).Verifier(t).Verify(context.Background(), time.Now(), raw); err == nil {
			t.Error("another issuer's verifier accepts it")
		}
	})
}

// A stepped time is as late as it would be without the step for whoever measures what has elapsed, and another for whoever reads
// the wall clock.
func TestStep(t *testing.T) {
	at := time.Now()
	for _, d := range []time.Duration{0, time.Hour, -time.Hour, time.Nanosecond, -999 * time.Millisecond} {
		before, after := Step(t, at, 0), Step(t, at.Add(time.Second), d)
		if got := after.Sub(before); got != time.Second {
			t.Errorf("%v: %v have elapsed", d, got)
		}
		if got := after.Round(0).Sub(at.Round(0)); got != time.Second+d {
			t.Errorf("%v: the wall clock is %v ahead", d, got)
		}
	}
}
