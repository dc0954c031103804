package handshake

import (
	"context"
	"crypto/x509"
	"errors"
	"strconv"
	"strings"
)

// causes are the failures that have a fixed text and no details, the most telling first, with the
// kind that each counts under.
var causes = []struct {
	err  error
	kind Kind
}{
	{ErrHello, KindMalformed},
	{ErrVersion, KindVersion},
	{ErrSuite, KindSuite},
	{ErrGroup, KindGroup},
	{ErrMasterSecret, KindMasterSecret},
	{ErrNoCertificate, KindNoCertificate},
	{ErrPin, KindCertificate},
	{ErrKey, KindCertificate},
	{ErrSignature, KindSignature},
}

// Cause returns a fixed text that explains why a handshake has failed, for an operator or a caller;
// empty if the cause is unknown.
func Cause(err error) string {
	text, _ := classify(err)
	return text
}

// KindOf returns the kind that a failure counts under.
func KindOf(err error) Kind {
	_, kind := classify(err)
	return kind
}

// Spoilt reports whether a client's handshake has failed because of a message that was changed on its
// way, or forged by somebody who sees them. Then another one may succeed.
func Spoilt(err error) bool {
	if alert, ok := errors.AsType[AlertError](err); ok {
		return alert.spoilt()
	}
	return errors.Is(err, ErrProof) || errors.Is(err, ErrMessage)
}

func classify(err error) (text string, kind Kind) {
	for _, known := range causes {
		if errors.Is(err, known.err) {
			return textOf(known.err), known.kind
		}
	}
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert AlertError
	var late timeoutError
	switch {
	case errors.As(err, &authority):
		return "certificate is signed by an unknown authority", KindCertificate
	case errors.As(err, &host):
		return "certificate is for another name", KindCertificate
	case errors.As(err, &invalid):
		return ofInvalid(invalid.Reason), KindCertificate
	case errors.As(err, &alert):
		return "the peer says " + alert.name(), KindAlert
	case errors.As(err, &late):
		return textOf(late), KindTimeout
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time", KindTimeout
	case errors.Is(err, ErrProof):
		return textOf(ErrProof), KindProof
	case errors.Is(err, ErrMessage):
		return textOf(ErrMessage), KindMalformed
	}
	return "", KindOther
}

func textOf(err error) string { return strings.TrimPrefix(err.Error(), "handshake: ") }

func ofInvalid(reason x509.InvalidReason) string {
	switch reason {
	case x509.Expired:
		return "certificate has expired or is not valid yet"
	case x509.IncompatibleUsage:
		return "certificate is not for this use"
	}
	return "certificate is not valid"
}

// RefusesCertificate reports whether an alert says that the peer does not accept a certificate.
func RefusesCertificate(a AlertError) bool { return a >= 42 && a <= 46 || a == 48 || a == 49 }

// AlertError is a fatal alert by which the peer ends a handshake (RFC 5246 7.2.2). It is not
// authenticated, so it ends the handshake only if nothing better arrives for a second, and it may
// have come from a third party.
type AlertError uint8

// Alerts that are sent or looked at.
const (
	alertUnexpectedMessage    AlertError = 10
	alertBadRecordMAC         AlertError = 20
	alertHandshakeFailure     AlertError = 40
	alertIllegalParameter     AlertError = 47
	alertDecodeError          AlertError = 50
	alertDecryptError         AlertError = 51
	alertProtocolVersion      AlertError = 70
	alertInsufficientSecurity AlertError = 71
)

// Alerts that say that a client certificate is missing.
const (
	alertNoCertificate       AlertError = 41
	alertCertificateRequired AlertError = 116
)

var alerts = map[AlertError]string{
	alertUnexpectedMessage: "unexpected_message", alertBadRecordMAC: "bad_record_mac", 22: "record_overflow",
	alertHandshakeFailure: "handshake_failure", alertNoCertificate: "no_certificate", 42: "bad_certificate",
	43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
	alertIllegalParameter: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", alertDecodeError: "decode_error",
	alertDecryptError: "decrypt_error", alertProtocolVersion: "protocol_version", alertInsufficientSecurity: "insufficient_security",
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

// spoilt reports whether the peer has ended it because a message did not fit the others.
func (a AlertError) spoilt() bool {
	switch a {
	case alertUnexpectedMessage, alertBadRecordMAC, alertIllegalParameter, alertDecodeError, alertDecryptError:
		return true
	}
	return false
}

// Error names the alert as RFC 5246 does.
func (a AlertError) Error() string { return "handshake: the peer says " + a.name() }

// Is makes an alert that says so match ErrNoCertificate or ErrVersion.
func (a AlertError) Is(target error) bool {
	switch target {
	case ErrNoCertificate:
		return a == alertNoCertificate || a == alertCertificateRequired
	case ErrVersion:
		return a == alertProtocolVersion
	}
	return false
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
