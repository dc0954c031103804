package handshake

import (
	"context"
	"errors"
	"slices"
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
	// ErrMasterSecret means that the peer does not support the extended master secret of RFC 7627.
	ErrMasterSecret = errors.New("handshake: no extended master secret")
	// ErrNoCertificate means that the server asks for a client certificate, and none was given.
	ErrNoCertificate = errors.New("handshake: client certificate asked for and not given")
	// ErrPin means that the server has shown another certificate than Config.Pin names.
	ErrPin = errors.New("handshake: certificate is not the pinned one")
	// ErrKey means that the key of the peer's certificate is of a kind that is not accepted, or
	// does not fit the suite.
	ErrKey = errors.New("handshake: peer's key is neither ECDSA P-256 nor RSA of 2048 bits")
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

// Failure is the function Failure with the causes that the Conn knows besides the engine's err.
func (c *Conn) Failure(err error) error {
	c.out.Lock()
	defer c.out.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing, hint error
	if !c.server && c.alert != 0 && c.filter.answer.wantsCertificate && !c.shown {
		missing = ErrNoCertificate // whichever alert that server has for it
	}
	if c.alert != 0 && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		hint = c.alert
	}
	return Failure(missing, c.cause, c.filter.answer.cause(), hint, err)
}

// NoCertificate reports whether a server's client has answered that it has no certificate.
func (c *Conn) NoCertificate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filter.flight.empty
}
