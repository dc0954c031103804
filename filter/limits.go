package filter

import "time"

// RetryByte is the first byte of a hello with proof of its sender's address, which comes before any
// state of a handshake; 0 means that there is none.
const RetryByte = 0

// Limits and defaults. Each says its unit and its reason.
const (
	// DefaultDir is where maps are pinned.
	DefaultDir = "/sys/fs/bpf/sallyport"

	// defaultStale is how long a server may say nothing: three of its calls.
	defaultStale = 3 * time.Second

	// defaultPeers is for how many addresses there is room, at some 100 bytes each: those of six times
	// as many sessions as a server admits by default.
	defaultPeers = 65536

	// defaultHellos is how many datagrams of handshakes pass a second from all unknown addresses
	// together: a tenth of what a socket takes on one processor, and more than a full server's players
	// need who all come at once.
	defaultHellos = 20_000

	// defaultRetries is how many pass that carry proof of their address: the server refuses a forged one
	// for less than it costs to begin a handshake.
	defaultRetries = 100_000

	// defaultSource is how many of both pass a second from one /24, and four times as many from a /48:
	// ten times as many as the server itself lets begin, of two to four datagrams each.
	defaultSource = 200

	// defaultHost is how many pass besides from a host at which somebody has played lately, where the
	// server lets one begin a second: four datagrams, and as many again.
	defaultHost = 10

	// defaultRoamer is how many datagrams of one connection id pass a second from unknown addresses:
	// more than a client sends until the server has followed it, and too few to be worth a cheat's while.
	defaultRoamer = 500

	// sourceTime, hostTime and totalTime are how much of their rate a source, a host, and all of
	// them or one connection id may send at once: of two seconds, of three and of one.
	sourceTime = 2 * time.Second
	hostTime   = 3 * time.Second
	totalTime  = time.Second

	// lately is how long a host is remembered at which somebody has played: as long as the server does.
	lately = 10 * time.Minute

	// sweepTime is how often what is over is removed from the maps.
	sweepTime = 30 * time.Second

	// batchLen is how many entries are written to a map by one system call.
	batchLen = 512
)
