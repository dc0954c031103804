package doctor

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/show"
	"github.com/sallyport/sallyport/internal/handshake"
)

// expiresSoon is when a certificate should have been renewed: authorities renew with a third of the
// life to go, which is 30 days of 90, or 15 of 45.
const expiresSoon = 14 * 24 * time.Hour

// checkCertificate looks at what the server shows to players.
func checkCertificate(e *examination) result {
	if e.cert == "" {
		return skip("no -cert")
	}
	if text, do, err := secret(e.key); err != nil {
		return fail(do, "%v", err)
	} else {
		clear(text)
	}
	pair, err := tls.LoadX509KeyPair(e.cert, e.key)
	if err != nil {
		return fail("-cert is PEM with the leaf first, -key its own private key.", "%v", err)
	}
	now := e.host.now()
	if err := handshake.CheckCertificate(&pair, now, true); err != nil {
		return fail("Have it issued anew for an ECDSA P-256 key: certbot --key-type ecdsa --elliptic-curve secp256r1", "%s: %s", e.cert, reason(err))
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fail("Have it issued anew.", "%s: %v", e.cert, err)
	}
	for name := range strings.SplitSeq(e.name, ",") {
		if err := leaf.VerifyHostname(name); name != "" && err != nil {
			return fail("Have it issued for the names that clients dial.", "%s is not for %q, but for %s", e.cert, name, names(leaf))
		}
	}
	left := leaf.NotAfter.Sub(now)
	found := fmt.Sprintf("%s for %s, until %s", keyKind(leaf), names(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	switch {
	case now.Before(leaf.NotBefore):
		return fail("Clients refuse it until then. Is a clock wrong?", "%s: not valid before %s", e.cert, leaf.NotBefore.UTC().Format(time.DateTime))
	case left < expiresSoon:
		return warn("Renew it, and send the server SIGHUP. If a program is to do that, it has not.", "%s, which is in %s", found, days(left))
	}
	return e.checkIssuerOf(leaf, pair.Certificate[1:], found)
}

// checkIssuerOf looks at whether clients can find a way from a certificate to an authority.
func (e *examination) checkIssuerOf(leaf *x509.Certificate, rest [][]byte, found string) result {
	between := x509.NewCertPool()
	for _, der := range rest {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	_, err := leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: e.host.now()})
	switch {
	case err == nil:
		return ok("%s", found)
	case leaf.CheckSignatureFrom(leaf) == nil:
		return warn("Clients must have it as a pin, or as an authority of their own. For players at large use a public authority.", "%s; self-signed", found)
	case len(rest) == 0:
		return warn("Use the file with the whole chain (fullchain.pem), unless its authority is one that clients have of you.", "%s; it comes alone, and this machine's authorities have not issued it", found)
	}
	return warn("Clients must have its authority from you.", "%s; this machine's authorities have not issued it", found)
}

// reason is an error without the names of packages before it.
func reason(err error) string {
	_, text, found := strings.Cut(err.Error(), ": ")
	if !found {
		return err.Error()
	}
	return text[strings.LastIndex(text, "configuration: ")+1:]
}

// names are those that a certificate is for.
func names(c *x509.Certificate) string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if list == nil {
		return "no name"
	}
	return show.Safe(strings.Join(list, ", "))
}

func keyKind(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA of %d bits", k.N.BitLen())
	}
	return c.PublicKeyAlgorithm.String()
}

// days says a time to go.
func days(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	}
	return d.Round(time.Minute).String()
}
