package session

import "errors"

// ErrBusy is what to hand to Verified when no verification could be started:
// the client is told to come again.
var ErrBusy = errors.New("session: too many verifications at once")

var errConfig = errors.New("session: Window must be a multiple of 64 from 64 to 8192, Leeway at most 30 s; Leeway, Overlap, Idle, Ping, BadTags, MaxRevocations and MaxBans must not be negative")

// Errors of a payload or a client that cannot be sent as it is.
var (
	// ErrTooLarge means that a body does not fit one datagram of 1,200 bytes.
	ErrTooLarge = errors.New("session: payload larger than one datagram holds; send at most MaxPayload bytes")
	// ErrHello means that platform, build, scope or token does not fit a HELLO.
	ErrHello = errors.New("session: platform, build and scope hold at most 128 bytes of text each, a token at most 4096")
	// ErrBearerTooLarge means that token and payload do not fit one datagram.
	ErrBearerTooLarge = errors.New("session: token and payload together are larger than one datagram holds; send less, or do not use bearer mode")
)
