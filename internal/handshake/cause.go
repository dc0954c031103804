package handshake

import (
	"context"
	"crypto/x509"
	"errors"
	"strconv"
	"strings"
)

// Cause returns a fixed text that explains why a handshake has failed, for an operator or a caller;
// empty if the cause is unknown.
func Cause(err error) string {
	for _, known := range []error{ErrHello, ErrSuite, ErrGroup, ErrMasterSecret, ErrNoCertificate, ErrPin, ErrKey} {
		if errors.Is(err, known) {
			return strings.TrimPrefix(known.Error(), "handshake: ")
		}
	}
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert AlertError
	switch {
	case errors.As(err, &authority):
		return "certificate is signed by an unknown authority"
	case errors.As(err, &host):
		return "certificate is for another name"
	case errors.As(err, &invalid):
		return ofInvalid(invalid.Reason)
	case errors.As(err, &alert):
		return "the peer says " + alert.name()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return ""
}

func ofInvalid(reason x509.InvalidReason) string {
	switch reason {
	case x509.Expired:
		return "certificate has expired or is not valid yet"
	case x509.IncompatibleUsage:
		return "certificate is not for this use"
	}
	return "certificate is not valid"
}

// AlertError is a fatal alert by which the peer ends a handshake (RFC 5246 7.2.2). It is not
// authenticated, so it ends the handshake only if nothing better arrives for a second, and it may
// have come from a third party.
type AlertError uint8

// Alerts that are sent.
const (
	alertHandshakeFailure     AlertError = 40
	alertIllegalParameter     AlertError = 47
	alertInsufficientSecurity AlertError = 71
)

// Alerts that say that a client certificate is missing.
const (
	alertNoCertificate       AlertError = 41
	alertCertificateRequired AlertError = 116
)

var alerts = map[AlertError]string{
	10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow",
	alertHandshakeFailure: "handshake_failure", alertNoCertificate: "no_certificate", 42: "bad_certificate",
	43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
	alertIllegalParameter: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
	51: "decrypt_error", 70: "protocol_version", alertInsufficientSecurity: "insufficient_security",
	80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 109: "missing_extension",
	110: "unsupported_extension", 112: "unrecognized_name", 115: "unknown_psk_identity",
	alertCertificateRequired: "certificate_required", 120: "no_application_protocol",
}

func (a AlertError) name() string {
	if name, ok := alerts[a]; ok {
		return name
	}
	return "alert " + strconv.Itoa(int(a))
}

// Error names the alert as RFC 5246 does.
func (a AlertError) Error() string { return "handshake: the peer says " + a.name() }

// Is makes an alert that says so match ErrNoCertificate.
func (a AlertError) Is(target error) bool {
	return target == ErrNoCertificate && (a == alertNoCertificate || a == alertCertificateRequired)
}

// alertFor returns the alert for a handshake that the greeting refuses.
func alertFor(cause error) AlertError {
	switch {
	case errors.Is(cause, ErrHello):
		return alertIllegalParameter
	case errors.Is(cause, ErrMasterSecret): // RFC 7627 5.3
		return alertHandshakeFailure
	}
	return alertInsufficientSecurity
}
