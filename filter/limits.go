package filter

import "time"

// ReturnByte is the first byte of a RETURN: a datagram of a handshake with proof of its sender's address
// in front (PROTOCOL.md 9.10).
const ReturnByte = 11

// Limits and defaults. Each says its unit and its reason.
const (
	// DefaultDir is where maps are pinned.
	DefaultDir = "/sys/fs/bpf/sallyport"

	// defaultStale is how long a server may say nothing: three of its calls.
	defaultStale = 3 * time.Second

	// defaultPeers is for how many addresses there is room, at some 100 bytes each: those of six times
	// as many sessions as a server admits by default.
	defaultPeers = 65536

	// defaultHellos and defaultReturns are how many datagrams of handshakes pass a second from all unknown
	// addresses together, and how many with a RETURN besides: what a server answers on a tenth of a
	// processor, and more than its players need who all come at once. Fewer keep out newcomers in a
	// flood that the server could answer.
	defaultHellos  = 50_000
	defaultReturns = 50_000

	// defaultSource is how many of each pass from one /24, and four times as many from a /48: half, so
	// that no network alone keeps the others out.
	defaultSource = 25_000

	// burstPart and leastBurst are how many of these may come at once: those of 20 ms, which fit into a
	// socket's buffer together with the players', and 20 at least.
	burstPart  = 50
	leastBurst = 20

	// defaultHost is how many pass besides from a host at which somebody has played lately, where the
	// server lets one begin a second: four datagrams, and as many again.
	defaultHost = 10

	// defaultRoamer is how many datagrams of one connection id pass a second from unknown addresses:
	// more than a client sends until the server has followed it, and too few to be worth a cheat's while.
	defaultRoamer = 500

	// hostTime and roamerTime are how much of their rate a host and a connection id may send at once.
	hostTime   = 3 * time.Second
	roamerTime = time.Second

	// lately is how long a host is remembered at which somebody has played: as long as the server does.
	lately = 10 * time.Minute

	// sweepTime is how often what is over is removed from the maps.
	sweepTime = 30 * time.Second

	// sightTime is how long the program may see no datagram to a port until it is said that it sees none: what lives
	// says something in the 30 s in which a server ends a silent session.
	sightTime = 30 * time.Second

	// openPart is which part of the room for addresses those may take from which a connection is being made:
	// a botnet that begins as many as the server lets it does not fill the maps.
	openPart = 4

	// batchLen is how many entries are written to a map by one system call.
	batchLen = 512
)
