package handshake_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
)

// elsewhere is a key that signs, and that nobody here has.
type elsewhere struct{ crypto.Signer }

// Its key must be one that AcceptsKey takes, and that of the first certificate, which must not have expired. The text
// says which of it is not so.
func TestCheckCertificate(t *testing.T) {
	must := func(k crypto.Signer, err error) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	key := func(curve elliptic.Curve) crypto.Signer { return must(ecdsa.GenerateKey(curve, rand.Reader)) }
	rsaKey := func(bits int) crypto.Signer { return must(rsa.GenerateKey(rand.Reader, bits)) }
	ends := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	issue := func(k crypto.Signer) tls.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: ends}
		der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, long := issue(key(elliptic.P256())), issue(rsaKey(2048))
	with := func(c tls.Certificate, private crypto.PrivateKey) tls.Certificate {
		c.PrivateKey = private
		return c
	}
	for name, c := range map[string]struct {
		certificate tls.Certificate
		now         time.Time
		signers     bool
		want        string // empty: taken
	}{
		"ECDSA P-256":              {p256, ends, false, ""},
		"RSA of 2048 bits":         {long, ends, false, ""},
		"RSA of 2047 bits":         {issue(rsaKey(2047)), ends, false, "must be ECDSA P-256"},
		"ECDSA P-384":              {issue(key(elliptic.P384())), ends, true, "must be ECDSA P-256"},
		"Ed25519":                  {issue(ed), ends, true, "must be ECDSA P-256"},
		"none":                     {tls.Certificate{PrivateKey: p256.PrivateKey}, ends, true, "no certificate"},
		"no key":                   {with(p256, nil), ends, true, "missing"},
		"a key that cannot sign":   {with(p256, []byte("key")), ends, true, "missing"},
		"another's key":            {with(p256, key(elliptic.P256())), ends, true, "another certificate's"},
		"another kind's key":       {with(p256, long.PrivateKey), ends, true, "another certificate's"},
		"no DER":                   {tls.Certificate{Certificate: [][]byte{{1}}, PrivateKey: p256.PrivateKey}, ends, true, "cannot be read"},
		"expired":                  {p256, ends.Add(1), true, "expired on 2030-01-01 00:00:00 UTC"},
		"a signer":                 {with(p256, elsewhere{p256.PrivateKey.(crypto.Signer)}), ends, true, ""},
		"a signer, for v2":         {with(p256, elsewhere{p256.PrivateKey.(crypto.Signer)}), ends, false, "crypto.Signer"},
		"a signer of another kind": {with(p256, elsewhere{ed}), ends, true, "must be ECDSA P-256"},
		"another's signer":         {with(p256, elsewhere{key(elliptic.P256())}), ends, true, "another certificate's"},
	} {
		err := handshake.CheckCertificate(&c.certificate, c.now, c.signers)
		if (c.want == "") != (err == nil) || err != nil && (!errors.Is(err, handshake.ErrConfig) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
