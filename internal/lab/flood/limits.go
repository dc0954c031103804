//go:build linux

package flood

import "time"

// Rate is how many ClientHellos a second are sent by default. Players and PerSecond are who plays, and
// how many inputs a second each sends.
const (
	Rate      = 100_000
	Players   = 200
	PerSecond = 60
)

// What is promised.
const (
	MaxLoss      = 0.001           // of datagrams
	MaxResidence = 3.0             // times that of quiet play, p99
	MaxMemory    = 16 << 20        // bytes above quiet play
	NewcomerTime = 2 * time.Second // until a newcomer is in
	MinBuffer    = 4 << 20         // bytes of the server's receive buffer, without which loss is not judged
)

const (
	// serverProcessor is that of the server, and othersProcessor that of the players and the flood.
	serverProcessor = 0
	othersProcessor = 1

	// perNetwork is how many players have one IPv4 /24: 20 a second may begin a handshake in it.
	perNetwork = 20

	// newcomers is how many dial while their own network is flooded.
	newcomers = 20

	// settle is how long after a change what is measured begins, drain how long answers are waited for.
	settle = time.Second
	drain  = 300 * time.Millisecond

	// dialTime is how long a player may take to get in while nobody floods.
	dialTime = 10 * time.Second

	// clump is how many ClientHellos one system call sends, ports from how many sockets they come, and every how often
	// the flood is topped up.
	clump = 64
	ports = 16
	every = time.Millisecond

	// payload is the length of an input, and of its answer, in bytes.
	payload = 64

	// startTime and statsTime bound what the server's process may take to start, and to answer.
	startTime = 10 * time.Second
	statsTime = 5 * time.Second
)
