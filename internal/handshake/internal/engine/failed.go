package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/sallyport/sallyport/internal/handshake"
)

// pionErrors are the causes that pion knows. It exports none of them, but their texts are fixed, and
// those of both versions have these words.
var pionErrors = []struct {
	words string
	cause error
}{
	{"x509: ", handshake.ErrMessage}, // a certificate that cannot be read
	{"key signature do not match", handshake.ErrProof},
	{"verify data does not match", handshake.ErrProof},
	{"ECDSA signature contained zero", handshake.ErrProof},
	{"client sent certificate but did not verify it", handshake.ErrProof},
	{"unsupported protocol version", handshake.ErrVersion},
	{"invalid signature algorithm", handshake.ErrSignature},
	{"no SignatureScheme satisfy", handshake.ErrSignature},
	{"signature algorithm that is not allowed", handshake.ErrSignature},
	{"elliptic curve", handshake.ErrGroup},
	{"shared cipher suites", handshake.ErrSuite},
	{"unknown cipher suite", handshake.ErrSuite},
}

// Failed closes the Conn of a handshake that has failed, and returns why it has.
func Failed(c *handshake.Conn, cfg *handshake.Config, isClient bool, err error) error {
	if !isClient && cfg.ClientAuth >= tls.RequireAnyClientCert && c.NoCertificate() {
		err = errors.Join(handshake.ErrNoCertificate, err)
	}
	if cause := causeOf(err); cause != nil {
		err = errors.Join(cause, err)
	}
	err = c.Failure(err)
	_ = c.Close()
	return err
}

// causeOf returns what an engine's error means, nil if the error says so itself, or says only that the
// handshake was ended.
func causeOf(err error) error {
	if handshake.Cause(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) || errors.Is(err, handshake.ErrFailed) {
		return nil
	}
	for _, known := range pionErrors {
		if strings.Contains(err.Error(), known.words) {
			return known.cause
		}
	}
	return handshake.ErrMessage
}
