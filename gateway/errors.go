package gateway

import "errors"

// Errors that callers can match.
var (
	// ErrConfig is matched by every error about a Config. The text names the field.
	ErrConfig = errors.New("gateway: bad configuration")
	// ErrReason means that a backend may not end a session with this reason.
	ErrReason = errors.New("gateway: the reason is not one that a game may give: use kicked (3), 128 to 255, or one after which the player may come again (1, 2, 11, 12, 16)")
	// ErrClosed is returned by Serve of a gateway that has been closed.
	ErrClosed = errors.New("gateway: closed")

	errDraining = errors.New("gateway: it drains")
)
