package handshake

import (
	"context"
	"errors"
	"slices"
	"strconv"
)

var (
	// ErrConfig means that no handshake was begun with this Config.
	ErrConfig = errors.New("handshake: unusable configuration")

	// ErrFailed means that a handshake did not come about. Its text has the cause in fixed words,
	// as Cause returns it.
	ErrFailed = errors.New("handshake: failed")
)

// Causes of a failure, which match besides ErrFailed. A bad certificate matches the error of
// package x509 (errors.As), the peer's alert an AlertError, and a time limit the error of the
// context.
var (
	// ErrHello means that a client's ClientHello, or the one it repeated with the cookie, is
	// malformed.
	ErrHello = errors.New("handshake: malformed ClientHello")
	// ErrSuite means that the peer supports none of the cipher suites, or none for the server's
	// kind of key.
	ErrSuite = errors.New("handshake: no common cipher suite")
	// ErrGroup means that the peer supports none of the groups for the key agreement.
	ErrGroup = errors.New("handshake: no common group")
	// ErrSignature means that the peer takes none of the signature algorithms.
	ErrSignature = errors.New("handshake: no common signature algorithm")
	// ErrVersion means that the peer does not speak DTLS 1.2.
	ErrVersion = errors.New("handshake: peer does not speak DTLS 1.2")
	// ErrMasterSecret means that the peer does not support the extended master secret of RFC 7627.
	ErrMasterSecret = errors.New("handshake: no extended master secret")
	// ErrNoCertificate means that the server asks for a client certificate, and none was given.
	ErrNoCertificate = errors.New("handshake: client certificate asked for and not given")
	// ErrPin means that the server has shown another certificate than Config.Pin names.
	ErrPin = errors.New("handshake: certificate is not the pinned one")
	// ErrKey means that the key of the peer's certificate is of a kind that is not accepted, or
	// does not fit the suite.
	ErrKey = errors.New("handshake: peer's key is neither ECDSA P-256 nor RSA of 2048 bits")
	// ErrProof means that a signature or a Finished of the peer's does not verify.
	ErrProof = errors.New("handshake: peer's signature or Finished does not verify")
	// ErrMessage means that a message of the peer's is malformed or out of place.
	ErrMessage = errors.New("handshake: peer's message is malformed or out of place")
)

// failure is ErrFailed with its causes, the most telling first. Its text is the fixed one of the
// first that has one: the peer has a hand in the others.
type failure struct{ causes []error }

// Failure returns an error that matches ErrFailed and the causes that are not nil.
func Failure(causes ...error) error {
	return failure{slices.DeleteFunc(causes, func(err error) bool { return err == nil })}
}

func (f failure) Error() string {
	if cause := Cause(f); cause != "" {
		return ErrFailed.Error() + ": " + cause
	}
	return ErrFailed.Error()
}

func (f failure) Unwrap() []error { return append([]error{ErrFailed}, f.causes...) }

// timeoutError says which flight of RFC 6347 4.2.4 did not come in time.
type timeoutError int

func (e timeoutError) Error() string {
	return "handshake: no answer in time: flight " + strconv.Itoa(int(e)) + " is missing"
}

// Failure is the function Failure with the causes that the Conn knows besides the engine's err.
func (c *Conn) Failure(err error) error {
	c.out.Lock()
	defer c.out.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	var missing, unlike, hint, flight error
	if !c.server && c.alert != 0 && c.filter.answer.wantsCertificate && !c.shown {
		missing = ErrNoCertificate // whichever alert that server has for it
	}
	if c.unlike && c.cause == nil {
		unlike = ErrSignature // as far as anybody can tell
	}
	if c.alert != 0 && late {
		hint = c.alert
	}
	if errors.Is(err, context.DeadlineExceeded) {
		flight = timeoutError(c.missing())
	}
	return Failure(missing, unlike, c.cause, c.filter.answer.cause(), hint, flight, err)
}

// missing returns the flight that the peer has not completed. The caller holds mu.
func (c *Conn) missing() int {
	switch f := &c.filter; {
	case c.server && !c.Proven():
		return 3
	case c.server:
		return 5
	case f.cookie:
		return 2
	case f.keyed:
		return 6
	}
	return 4
}

// NoCertificate reports whether a server's client has answered that it has no certificate.
func (c *Conn) NoCertificate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filter.flight.empty
}
