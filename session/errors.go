package session

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/replay"
)

// ErrBusy is the outcome of a token whose verification could not be started: the client may try
// again.
var ErrBusy = errors.New("session: too many verifications at once")

// ErrConfig is matched by every error about a Config or ClientConfig. The text names the field.
var ErrConfig = errors.New("session: bad configuration")

// badConfig returns an ErrConfig that names the field.
func badConfig(what string) error { return fmt.Errorf("%w: %s", ErrConfig, what) }

// field is the value of a field that must not be negative.
type field struct {
	name  string
	value int64
}

// notNegative returns an ErrConfig that names the first negative field, or nil.
func notNegative(fields ...field) error {
	for _, f := range fields {
		if f.value < 0 {
			return badConfig(f.name + " must not be negative")
		}
	}
	return nil
}

// checkWindow returns an ErrConfig for a window that package replay cannot make.
func checkWindow(n int) error {
	if _, err := replay.Size(n); err != nil {
		return badConfig("Window must be a multiple of 64 from 64 to 8192")
	}
	return nil
}

// Errors of what does not fit a datagram.
var (
	// ErrTooLarge means that a body does not fit one datagram of 1,200 bytes. What package transport
	// returns for a message that is longer than its lane takes matches it, too.
	ErrTooLarge = errors.New("session: payload larger than one datagram holds; send at most MaxPayload bytes")
	// ErrHello means that platform, build, scope or token does not fit a HELLO.
	ErrHello = errors.New("session: platform, build and scope hold at most 128 bytes of text each, a token at most 4096")
	// ErrBearerTooLarge means that token and payload do not fit one datagram.
	ErrBearerTooLarge = errors.New("session: token and payload together are larger than one datagram holds; send less, or do not use bearer mode")
)
