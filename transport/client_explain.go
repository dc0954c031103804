package transport

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
)

// handshakeError is ErrHandshake with its cause. The text is for a person: what the two ends
// disagree about, and which field of ClientConfig settles it.
type handshakeError struct {
	text  string
	cause error
}

func (e *handshakeError) Error() string {
	if e.text == "" {
		return ErrHandshake.Error()
	}
	return ErrHandshake.Error() + ": " + e.text
}

func (e *handshakeError) Unwrap() []error { return []error{ErrHandshake, e.cause} }

// handshakeFailed returns the error for a handshake that has failed because of cause.
func (c *ClientConfig) handshakeFailed(cause error) error {
	text := handshake.Cause(cause)
	if more := c.explain(cause); more != "" {
		text += ": " + more
	}
	return &handshakeError{text, cause}
}

// explain returns what there is to say about the cause of a failure besides handshake.Cause, or an
// empty string. Names in a certificate are quoted, and cut: nobody has vouched for them.
func (c *ClientConfig) explain(cause error) string {
	if host, ok := errors.AsType[x509.HostnameError](cause); ok {
		return fmt.Sprintf("want %.*q, it has %s; set ClientConfig.ServerName to one of them, or set Pin", maxQuoted, host.Host, namesOf(host.Certificate))
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](cause); ok && invalid.Reason == x509.Expired && invalid.Cert != nil {
		return validityOf(invalid.Cert, time.Now())
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](cause); ok {
		if c.RootCAs == nil {
			return "the system does not trust it; set ClientConfig.RootCAs to the authority that has signed it, or set Pin"
		}
		return "it is not in ClientConfig.RootCAs; add the authority that has signed it, or set Pin"
	}
	switch {
	case errors.Is(cause, handshake.ErrPin):
		return "the server has another certificate by now, or is another server; get the new pin where ClientConfig.Pin came from"
	case errors.Is(cause, handshake.ErrNoCertificate):
		return "set ClientConfig.Certificate"
	}
	if alert, ok := errors.AsType[AlertError](cause); ok && c.Certificate != nil && handshake.RefusesCertificate(alert) {
		return "the server does not accept ClientConfig.Certificate"
	}
	return ""
}

// namesOf lists the names that a certificate is for.
func namesOf(cert *x509.Certificate) string {
	if cert == nil {
		return "none"
	}
	var names []string
	for _, name := range cert.DNSNames {
		names = append(names, fmt.Sprintf("%.*q", maxQuoted, name))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	switch n := len(names); {
	case n == 0:
		return "none"
	case n > maxNames:
		names = append(names[:maxNames], fmt.Sprintf("%d more", n-maxNames))
	}
	return strings.Join(names, ", ")
}

// validityOf says when a certificate that is not valid now is.
func validityOf(cert *x509.Certificate, now time.Time) string {
	clock := "this machine's clock says " + utc(now)
	if now.Before(cert.NotBefore) {
		return "it is valid from " + utc(cert.NotBefore) + "; " + clock
	}
	return "it has expired on " + utc(cert.NotAfter) + "; " + clock
}

func utc(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }
