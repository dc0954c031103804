package revocation

import (
	"errors"
	"fmt"
)

// ErrConfig is matched by every error about a configuration. The text names the field.
var ErrConfig = errors.New("revocation: bad configuration")

// ErrRecord is matched by every error about a Record that cannot be published. The text names the
// field.
var ErrRecord = errors.New("revocation: bad record")

// ErrStore is matched by every error of a publisher's directory. The text says what to do.
var ErrStore = errors.New("revocation: store")

// ErrSuperseded means that another process publishes with the same key and a later epoch. This one
// stops publishing: subscribers would not believe it.
var ErrSuperseded = errors.New("revocation: another process publishes with this key: give each publisher a key and a directory of its own")

// ErrClosed is returned by a Publisher that has been closed.
var ErrClosed = errors.New("revocation: publisher closed")

func badConfig(what string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(what, args...))
}

func badRecord(what string) error { return fmt.Errorf("%w: %s", ErrRecord, what) }
