package transport

import (
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Errors that callers can match. Payload errors are those of package session.
var (
	// ErrServerClosed is returned by Serve and Poll after Shutdown or Close.
	ErrServerClosed = errors.New("transport: server closed")
	// ErrServing is returned by Serve and Poll while another goroutine is in
	// one of them.
	ErrServing = errors.New("transport: Serve or Poll runs already")
	// ErrGone is returned by Player.Send when the player has left.
	ErrGone = errors.New("transport: player has left")
	// ErrHandshake is returned by Dial when the DTLS handshake failed. Its cause, as far as
	// it is known, is in the chain and in the text: an error of package handshake, such as
	// handshake.ErrSuite or a handshake.AlertError that names what the server says, or of
	// crypto/x509 (errors.As).
	ErrHandshake = errors.New("transport: handshake failed")
	// ErrDisconnected is returned by a client whose server has closed the
	// connection, or restarted, without saying why.
	ErrDisconnected = errors.New("transport: the server closed the connection")
	// ErrTimeout is returned by Dial when no answer came, and by Receive when
	// the server has fallen silent.
	ErrTimeout = errors.New("transport: no answer from the server")
)

// CloseError is how the other end, or a time limit, ended a session.
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

// closeErrorOf is what the server's CLOSE means to the caller.
func closeErrorOf(ev machine.Event) *CloseError {
	return &CloseError{Reason: ev.Reason, RetryAfter: ev.RetryAfter, Detail: string(ev.Payload)}
}
