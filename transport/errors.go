package transport

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Errors that callers can match. Payload errors are those of package session.
var (
	// ErrServerClosed is returned by Serve and Poll after Shutdown or Close.
	// It matches net.ErrClosed.
	ErrServerClosed error = &closedError{"transport: server closed"}
	// ErrServing is returned by Serve and Poll while another goroutine is in
	// one of them.
	ErrServing = errors.New("transport: Serve or Poll runs already")
	// ErrGone is returned by Player.Send when the player has left.
	ErrGone = errors.New("transport: player has left")
	// ErrHandshake is returned by Dial when the DTLS handshake failed. Its cause, as far as
	// it is known, is in the chain and in the text: one of the causes below, an AlertError
	// that names what the server says, or an error of crypto/x509 (errors.As).
	ErrHandshake = errors.New("transport: handshake failed")
	// ErrDisconnected is returned by a client whose server has closed the
	// connection, or restarted, without saying why.
	// It matches net.ErrClosed.
	ErrDisconnected error = &closedError{"transport: the server closed the connection"}
	// ErrTimeout is returned by Dial when no answer came, and by Receive when
	// the server has fallen silent.
	// It is a net.Error whose Timeout reports true.
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

// CloseError is how the other end, or a time limit, ended a session. It matches net.ErrClosed.
type CloseError struct {
	Reason     session.Reason
	RetryAfter time.Duration // when to come again, 0 if the server did not say
	Detail     string        // what the server has said besides, for a log: at most 64 bytes, which may be anything
}

func (e *CloseError) Error() string {
	if e.Detail != "" && e.Reason != wire.ReasonVersion {
		return fmt.Sprintf("transport: session closed: %v: %q", e.Reason, e.Detail)
	}
	return fmt.Sprintf("transport: session closed: %v", e.Reason)
}

// Is reports whether target is net.ErrClosed.
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed }

// closeErrorOf is what the server's CLOSE means to the caller.
func closeErrorOf(ev machine.Event) *CloseError {
	return &CloseError{Reason: ev.Reason, RetryAfter: ev.RetryAfter, Detail: string(ev.Payload)}
}
