package enginetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// Who presents a certificate has proven its key; what is asked for decides whether one is needed and of whom.
func testClientCertificates(t *testing.T, se, ce handshake.Engine) {
	ec, otherEC, rsaKey, p384, ed := Keys(t)
	ca, other := NewAuthority("authority", true), NewAuthority("other authority", true)
	swapped := ca.Issue("player", ec)
	swapped.PrivateKey = otherEC
	certs := map[string]*tls.Certificate{
		"none": nil, "ec": ca.Issue("player", ec), "rsa": ca.Issue("player", rsaKey),
		"stranger": other.Issue("player", ec), "not his": swapped,
		"p384": ca.Issue("player", p384), "ed25519": ca.Issue("player", ed),
	}
	for _, c := range []struct {
		auth tls.ClientAuthType
		cert string
		ok   bool
		why  string // the server says it fails; empty if nothing is said
	}{
		{tls.NoClientCert, "none", true, ""},
		{tls.NoClientCert, "ec", true, ""},
		{tls.RequestClientCert, "none", true, ""},
		{tls.RequestClientCert, "ec", true, ""},
		{tls.RequestClientCert, "stranger", true, ""},
		{tls.RequestClientCert, "not his", false, "peer's signature or Finished does not verify"},
		{tls.RequireAnyClientCert, "none", false, "client certificate asked for and not given"},
		{tls.RequireAnyClientCert, "stranger", true, ""},
		{tls.RequireAnyClientCert, "rsa", true, ""},
		{tls.RequireAnyClientCert, "p384", false, ""},
		{tls.RequireAnyClientCert, "ed25519", false, ""},
		{tls.RequireAndVerifyClientCert, "none", false, "client certificate asked for and not given"},
		{tls.RequireAndVerifyClientCert, "ec", true, ""},
		{tls.RequireAndVerifyClientCert, "rsa", true, ""},
		{tls.RequireAndVerifyClientCert, "stranger", false, "certificate is signed by an unknown authority"},
		{tls.RequireAndVerifyClientCert, "not his", false, "peer's signature or Finished does not verify"},
	} {
		sc := &handshake.Config{Certificate: Fixed(ca.Issue(ServerName, ec)), ClientAuth: c.auth, ClientCAs: ca.Pool}
		cc := &handshake.Config{Certificate: Fixed(certs[c.cert]), RootCAs: ca.Pool, ServerName: ServerName}
		bubble(t, c.auth.String()+" "+c.cert, func(t *testing.T) {
			p := Run(t, &Link{Latency: time.Millisecond}, se, ce, sc, cc)
			if !c.ok {
				if p.ServerErr == nil {
					t.Error("accepted")
				}
				if got := handshake.Cause(p.ServerErr); c.why != "" && got != c.why {
					t.Errorf("the server says %q, want %q", got, c.why)
				}
				var alert handshake.AlertError // is all that the client gets to know, once it has keys of its own
				if c.why != "" && (!errors.As(p.ClientErr, &alert) || p.ClientAt > 2*time.Second) {
					t.Errorf("the client hears of it as %v after %v", p.ClientErr, p.ClientAt)
				}
				if missing := errors.Is(p.ClientErr, handshake.ErrNoCertificate); c.why != "" && missing != (c.cert == "none") {
					t.Errorf("the client takes its certificate for missing: %v", missing)
				}
				p.Wait()
				return
			}
			p.Check(t)
			switch asked := c.auth != tls.NoClientCert && c.cert != "none"; {
			case !asked && p.ServerRes.Peer != nil:
				t.Error("a peer certificate that nobody sent")
			case asked && !bytes.Equal(p.ServerRes.Peer[0], certs[c.cert].Certificate[0]):
				t.Error("another peer certificate")
			}
		})
	}
}

// A client talks to the server it means: vouched for, by that name or address, with a key we take.
func testRefusals(t *testing.T, se, ce handshake.Engine) {
	ec, otherEC, _, _, _ := Keys(t)
	ca, other := NewAuthority("authority", false), NewAuthority("other authority", false)
	good, swapped := ca.Issue(ServerName, ec), ca.Issue(ServerName, ec)
	swapped.PrivateKey = otherEC
	for name, c := range map[string]struct {
		cert  *tls.Certificate
		pool  *x509.CertPool
		host  string
		pin   *[32]byte
		cause any
		text  string
	}{
		"wrong authority":    {good, other.Pool, ServerName, nil, new(x509.UnknownAuthorityError), "certificate is signed by an unknown authority"},
		"wrong name":         {good, ca.Pool, "other.example", nil, new(x509.HostnameError), "certificate is for another name"},
		"wrong address":      {good, ca.Pool, "127.0.0.2", nil, new(x509.HostnameError), "certificate is for another name"},
		"name not even once": {ca.Issue("", ec), ca.Pool, ServerName, nil, new(x509.HostnameError), "certificate is for another name"},
		"expired":            {ca.IssueUntil(ServerName, ec, time.Unix(0, 0)), ca.Pool, ServerName, nil, new(x509.CertificateInvalidError), "certificate has expired or is not valid yet"},
		"not its key":        {swapped, ca.Pool, ServerName, nil, nil, "peer's signature or Finished does not verify"},
		"not the one pinned": {good, ca.Pool, ServerName, new([32]byte), nil, "certificate is not the pinned one"},
	} {
		sc := &handshake.Config{Certificate: Fixed(c.cert)}
		cc := &handshake.Config{RootCAs: c.pool, ServerName: c.host}
		if c.pin != nil {
			cc.Pin = c.pin
		}
		bubble(t, name, func(t *testing.T) {
			p := Run(t, &Link{Latency: time.Millisecond}, se, ce, sc, cc)
			if !errors.Is(p.ClientErr, handshake.ErrFailed) || !errors.Is(p.ServerErr, handshake.ErrFailed) {
				t.Fatalf("client %v, server %v", p.ClientErr, p.ServerErr)
			}
			if pinned := errors.Is(p.ClientErr, handshake.ErrPin); pinned != (c.pin != nil) {
				t.Errorf("cause is %v", Cause(p.ClientErr))
			}
			if c.cause != nil && !errors.As(p.ClientErr, c.cause) {
				t.Errorf("cause is %v", Cause(p.ClientErr))
			}
			if got := p.ClientErr.Error(); got != strings.TrimSuffix(handshake.ErrFailed.Error()+": "+c.text, ": ") {
				t.Errorf("text %q quotes the peer", got)
			}
			var alert handshake.AlertError
			if !errors.As(p.ServerErr, &alert) || p.ServerAt > 2*time.Second {
				t.Errorf("the server hears of it as %v after %v", p.ServerErr, p.ServerAt)
			}
			if v := p.Client.Conn.Deliver([]byte{22}); v != handshake.Refused {
				t.Errorf("after failure: %v", v)
			}
			p.Wait()
		})
	}
}

// "Fail at start if the configuration says otherwise", before a byte is sent.
func testConfigs(t *testing.T, se, ce handshake.Engine) {
	ec, _, _, p384, ed := Keys(t)
	ca := NewAuthority("authority", false)
	good := Fixed(ca.Issue(ServerName, ec))
	for name, c := range map[string]struct {
		client bool
		cfg    *handshake.Config
	}{
		"nil":                    {false, nil},
		"nil client":             {true, nil},
		"no certificate":         {false, &handshake.Config{}},
		"nil certificate":        {false, &handshake.Config{Certificate: Fixed(nil)}},
		"empty certificate":      {false, &handshake.Config{Certificate: Fixed(&tls.Certificate{PrivateKey: ec})}},
		"ed25519":                {false, &handshake.Config{Certificate: Fixed(ca.Issue(ServerName, ed))}},
		"p384":                   {false, &handshake.Config{Certificate: Fixed(ca.Issue(ServerName, p384))}},
		"small RSA":              {false, &handshake.Config{Certificate: Fixed(ca.Issue(ServerName, newRSA(1024)))}},
		"verify by nobody":       {false, &handshake.Config{Certificate: good, ClientAuth: tls.RequireAndVerifyClientCert}},
		"verify if given":        {false, &handshake.Config{Certificate: good, ClientAuth: tls.VerifyClientCertIfGiven}},
		"unknown client auth":    {false, &handshake.Config{Certificate: good, ClientAuth: 9}},
		"small MTU":              {false, &handshake.Config{Certificate: good, MTU: 255}},
		"no server name":         {true, &handshake.Config{RootCAs: ca.Pool}},
		"client with Ed25519":    {true, &handshake.Config{ServerName: ServerName, Certificate: Fixed(ca.Issue("", ed))}},
		"client with small MTU":  {true, &handshake.Config{ServerName: ServerName, MTU: 25}},
		"client with no RSA key": {true, &handshake.Config{ServerName: ServerName, Certificate: Fixed(&tls.Certificate{})}},
	} {
		bubble(t, name, func(t *testing.T) {
			conn := handshake.NewConn(!c.client, nil, nil, func([]byte) { t.Error("sent something") })
			run := se.Server
			if c.client {
				run = ce.Client
			}
			if _, err := run(t.Context(), conn, c.cfg); !errors.Is(err, handshake.ErrConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a stranger can put beside a handshake without breaking it: everything but handshake messages.
func testSpoofed(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	junk := spoofs()
	bubble(t, "", func(t *testing.T) {
		p := Run(t, &Link{Latency: 10 * time.Millisecond, Tap: func(_ bool, _ int, b []byte) [][]byte {
			return append(append(cloneAll(junk), b), cloneAll(junk)...)
		}}, se, ce, sc, cc)
		p.Check(t)
		if p.ClientAt > 62*time.Millisecond {
			t.Errorf("took %v", p.ClientAt)
		}
	})
}

// spoofs are datagrams of every record type and several epochs and versions, but epoch-0 handshake messages
// and the one right ChangeCipherSpec.
func spoofs() (out [][]byte) {
	out = append(out, nil, []byte{22}, make([]byte, 12), make([]byte, 13))
	for _, typ := range []byte{0, 19, 20, 21, 22, 23, 24, 25, 26, 255} {
		for _, epoch := range []byte{0, 1, 2} {
			for _, body := range [][]byte{nil, {1, 0}, {2, 40}, {2, 0, 0}, make([]byte, 48), make([]byte, 100)} {
				rec := append([]byte{typ, 0xfe, 0xfd, 0, epoch, 0xff, 0xff, 0, 0, 0, 0, 0, byte(len(body))}, body...)
				if record.ContentType(typ) != record.Handshake || epoch != 0 || len(body) < 12 {
					out = append(out, rec)
				}
			}
		}
	}
	return out
}

func cloneAll(in [][]byte) (out [][]byte) {
	for _, b := range in {
		out = append(out, bytes.Clone(b))
	}
	return out
}

// "It runs until it is done or ctx ends", wherever the handshake stands, and leaves nothing behind.
func testTimeLimit(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	for n := range 4 {
		bubble(t, "", func(t *testing.T) {
			p := Run(t, &Link{Latency: time.Millisecond, Tap: func(_ bool, i int, b []byte) [][]byte {
				if i >= n {
					return nil
				}
				return [][]byte{b}
			}}, se, ce, sc, cc)
			for _, err := range []error{p.ServerErr, p.ClientErr} {
				if n < 2 && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d datagrams: %v", n, Cause(err))
				}
			}
			if p.ClientAt > Limit+time.Second || p.ServerAt > Limit+time.Second {
				t.Errorf("took %v and %v", p.ServerAt, p.ClientAt)
			}
			p.Wait()
		})
	}
}

// "the SHA-256 of the one certificate, in DER, that a client takes from its server; nobody else vouches for it": no
// authority and no name is needed, none helps, and the key must be the certificate's.
func testPin(t *testing.T, se, ce handshake.Engine) {
	ec, otherEC, _, _, _ := Keys(t)
	ca := NewAuthority("authority", true)
	pinned, another := ca.Issue("nobody's name", ec), ca.Issue(ServerName, otherEC)
	impostor := *pinned
	impostor.PrivateKey = otherEC
	pin := sha256.Sum256(pinned.Certificate[0])
	for name, c := range map[string]struct {
		cert *tls.Certificate
		cc   handshake.Config
		ok   bool
	}{
		"pinned":             {pinned, handshake.Config{Pin: &pin}, true},
		"other name":         {pinned, handshake.Config{Pin: &pin, ServerName: ServerName}, true},
		"other, vouched for": {another, handshake.Config{Pin: &pin, RootCAs: ca.Pool, ServerName: ServerName}, false},
		"copied":             {&impostor, handshake.Config{Pin: &pin}, false},
	} {
		bubble(t, name, func(t *testing.T) {
			sc := &handshake.Config{Certificate: Fixed(c.cert)}
			p := Run(t, &Link{Latency: time.Millisecond}, se, ce, sc, &c.cc)
			if c.ok {
				p.Check(t)
				return
			}
			if p.ClientErr == nil {
				t.Error("accepted")
			}
			p.Wait()
		})
	}
}
