package soak

import "time"

const (
	// dialsAtOnce is what a server lets one /24 negotiate at once (PROTOCOL.md, "Limits").
	dialsAtOnce = 8

	// dialTime bounds one attempt to join: the server gives up on a handshake after 5 s.
	dialTime = 10 * time.Second

	// drainTime is how long a player who leaves waits for what is still on its way.
	drainTime = 2 * time.Second

	// settleTime is how long a player behind an impaired socket waits on, for copies: a held datagram is 100 ms late.
	settleTime = 150 * time.Millisecond

	// statsTime bounds one question to the status address.
	statsTime = 5 * time.Second

	// fewest is the share of the expected snapshots that must have arrived: a machine that is busy with other things
	// skips ticks, a server that forgets a player sends none.
	fewest = 0.5

	// MaxRate is the most inputs a second: a session may send 256 datagrams (session.DefaultRate), PINGs included.
	MaxRate = 240

	// MaxBearerPayload is the largest payload in bytes in bearer mode: a development token of 400 to 500 bytes fits
	// beside it.
	MaxBearerPayload = 512
)
