package transport

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Errors that callers can match. Payload errors are those of package session.
var (
	// ErrServerClosed is returned by Serve and Poll after Shutdown or Close.
	// It matches net.ErrClosed.
	ErrServerClosed error = &closedError{"transport: server closed"}
	// ErrServing is returned by Serve and Poll while another goroutine is in
	// one of them, and by Client.Poll while another Poll runs.
	ErrServing = errors.New("transport: Serve or Poll runs already")
	// ErrGone is returned by Player.Send when the player has left.
	// It matches net.ErrClosed.
	ErrGone error = &closedError{"transport: player has left"}
	// ErrNotConnected is returned by Player.Send and Client.Send while the session lives and has
	// no connection that can carry a payload: the connection has ended, or its keys are used up,
	// and the client has not resumed the session on another one yet. The payload is not sent.
	ErrNotConnected = errors.New("transport: the session has no usable connection at present")
	// ErrFull is returned by SendMessage and SendLatest when the lane's queue has no room for the
	// message, or the lane for another key: a message that must arrive is not dropped silently.
	ErrFull = errors.New("transport: the lane's queue is full")
	// ErrLane is returned for a lane that the server does not have, or whose mode does not take such
	// messages.
	ErrLane = errors.New("transport: no such lane, or one of another mode")
	// ErrNoLanes is returned where a session has no lanes: the server has none, or the client does
	// not use them.
	ErrNoLanes = errors.New("transport: the session has no lanes")
	// ErrHandshake is returned by Dial when the DTLS handshake failed. Its cause, as far as
	// it is known, is in the chain and in the text: one of the causes below, an AlertError
	// that names what the server says, or an error of crypto/x509 (errors.As).
	ErrHandshake = errors.New("transport: handshake failed")
	// ErrDisconnected is returned by a client whose server has closed the
	// connection, or restarted, without saying why.
	// It matches net.ErrClosed.
	ErrDisconnected error = &closedError{"transport: the server closed the connection"}
	// ErrTimeout is returned by Dial when no answer came, and by Receive when the server has fallen
	// silent. It is a net.Error whose Timeout reports true. The text says what the client has seen
	// instead of an answer, if anything. Once Dial's context has ended, it also matches the context's
	// error.
	ErrTimeout error = timeoutError{}
	// ErrConfig is matched by every error about a Config or ClientConfig. The text names the
	// field. An error about Config.Session matches session.ErrConfig, too.
	ErrConfig = errors.New("transport: bad configuration")
)

// Causes of ErrHandshake, which match besides it.
var (
	// ErrSuite means that the two ends have no cipher suite in common.
	ErrSuite = handshake.ErrSuite
	// ErrGroup means that they have no group for the key agreement in common.
	ErrGroup = handshake.ErrGroup
	// ErrMasterSecret means that the server does not support the extended master secret of
	// RFC 7627.
	ErrMasterSecret = handshake.ErrMasterSecret
	// ErrNoCertificate means that the server asks for a certificate, and ClientConfig has none.
	ErrNoCertificate = handshake.ErrNoCertificate
	// ErrPin means that the server has shown another certificate than ClientConfig.Pin names.
	ErrPin = handshake.ErrPin
	// ErrDTLSVersion means that the server does not speak DTLS 1.2.
	ErrDTLSVersion = handshake.ErrVersion
)

// AlertError is the alert with which the server has refused a handshake.
type AlertError = handshake.AlertError

// closedError is an error that matches net.ErrClosed.
type closedError struct{ text string }

func (e *closedError) Error() string { return e.text }

// Is reports whether target is net.ErrClosed.
func (e *closedError) Is(target error) bool { return target == net.ErrClosed }

// timeoutError implements net.Error.
type timeoutError struct{}

func (timeoutError) Error() string   { return "transport: no answer from the server" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// badConfig returns an ErrConfig that names the field.
func badConfig(what string) error { return fmt.Errorf("%w: %s", ErrConfig, what) }

// badField returns an ErrConfig about a field that has been refused with err, which it matches, too.
// What configuration err calls bad is left out: the field says that.
func badField(field string, err error) error {
	text := err.Error()
	if _, what, ok := strings.Cut(text, ": bad configuration: "); ok {
		text = what
	}
	return &fieldError{ErrConfig.Error() + ": " + field + ": " + text, err}
}

// fieldError is the error of badField.
type fieldError struct {
	text string
	err  error
}

func (e *fieldError) Error() string { return e.text }

func (e *fieldError) Unwrap() []error { return []error{ErrConfig, e.err} }

// errLongMessage is session.ErrTooLarge for a message, which may be larger than one datagram.
var errLongMessage error = longMessageError{}

type longMessageError struct{}

func (longMessageError) Error() string {
	return "transport: the message is longer than its lane's MaxMessage"
}

// Is reports whether target is session.ErrTooLarge.
func (longMessageError) Is(target error) bool { return target == session.ErrTooLarge }

// closeErrorOf is what the server's CLOSE means to the caller.
func closeErrorOf(ev machine.Event) *CloseError {
	e := &CloseError{Reason: ev.Reason, RetryAfter: ev.RetryAfter, Detail: string(ev.Payload)}
	if e.Reason == wire.ReasonVersion {
		e.Hint = versionHint(ev.Payload)
	}
	return e
}

// What Send and Receive return after Client.Close, and when the client's socket was closed.
var (
	errClientClosed error = &closedError{"transport: client closed"}
	errSocketClosed error = &closedError{"transport: the client's socket is closed"}
)

// unanswered is ErrTimeout with what is known besides.
type unanswered struct {
	timeoutError

	text   string  // what the client has seen instead of an answer, empty if nothing
	causes []error // the socket's fault and the context's error, if there are any
}

func (e *unanswered) Error() string {
	if e.text == "" {
		return ErrTimeout.Error()
	}
	return ErrTimeout.Error() + ": " + e.text
}

func (e *unanswered) Unwrap() []error { return append([]error{ErrTimeout}, e.causes...) }

// CloseError says how the other end, or a time limit, ended a session. It matches net.ErrClosed.
type CloseError struct {
	Reason     session.Reason
	RetryAfter time.Duration // how long to wait before another attempt, 0 if the server did not say
	Detail     string        // what the server says about it, for a log: at most 64 bytes, which may be anything

	// Hint is what the client itself can tell about the refusal, for a person: what its identity
	// token says, unverified, and how that compares with its own clock and configuration. It never
	// holds the token. Empty where the client knows nothing.
	Hint string
}

// Error returns the reason, with the detail in quotation marks and the hint where there are any.
func (e *CloseError) Error() string {
	text := "transport: session closed: " + e.Reason.String()
	if e.Detail != "" && e.Reason != wire.ReasonVersion {
		text += fmt.Sprintf(": %q", e.Detail)
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Is reports whether target is net.ErrClosed.
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed }

// sendError replaces the errors of internal packages that mean that nothing can be sent at present.
func sendError(err error) error {
	if errors.Is(err, record.ErrExhausted) || errors.Is(err, machine.ErrNotLive) {
		return ErrNotConnected
	}
	return err
}
