package sidecar

import "time"

const (
	// Version is the version of the datagrams between sidecar and game.
	Version = 1

	// HeaderLen is the length of a header in bytes.
	HeaderLen = 24

	// MaxMessage is the longest message in bytes that fits a datagram of the loopback interface, and the
	// longest that a lane of a sidecar may have.
	MaxMessage = 60_000

	// maxDatagram is the longest datagram that either side sends, header included.
	maxDatagram = HeaderLen + MaxMessage

	// maxText is how many bytes of each text of a JOINED are sent; none that a server admits is longer
	// but an issuer. maxIdentity is how many bytes of JSON it has at most: what is longer is left out.
	maxText     = 512
	maxIdentity = 8192

	// maxDetail is how many bytes of a KICK's detail reach the player.
	maxDetail = 64

	// DefaultGame is where the game listens, DefaultOwn is where the sidecar does.
	DefaultGame = "127.0.0.1:7778"
	DefaultOwn  = "127.0.0.1:7779"

	// DefaultSilence is how long the game may be silent before it is considered gone: longer than a
	// garbage collection, shorter than a player's patience.
	DefaultSilence = time.Second

	// aliveEvery is how often the sidecar says that it lives, and so how often the game does: several times
	// in the shortest Silence.
	aliveEvery = 200 * time.Millisecond
	minSilence = 3 * aliveEvery

	// tickEvery is how often what is due is looked at.
	tickEvery = 25 * time.Millisecond

	// resendAfter is how long the oldest numbered datagram waits for its acknowledgement until what
	// follows is sent again, at first and at most: a game with a tick of 20 Hz has answered by then.
	resendAfter = 100 * time.Millisecond
	resendMax   = 800 * time.Millisecond

	// flightCount and flightBytes bound the numbered datagrams that are on their way: what the default
	// receive buffer of a socket on Linux holds, 212,992 bytes as the kernel counts.
	flightCount = 64
	flightBytes = 128 << 10

	// queueCount and queueBytes bound the numbered datagrams that are kept. A game that is further behind
	// begins anew, as one that has restarted. What a game is told when it begins is kept besides.
	queueCount = 16_384
	queueBytes = 32 << 20

	// renumberAfter is how many numbers are used before they begin at 1 again, once nothing is
	// unconfirmed: half of them, so that there is such a moment before they run out.
	renumberAfter = 1 << 31

	// boxBytes bounds the payloads that wait for the socket, in each of the boxes. What is more is lost: it
	// is 0.3 s of 1,000 players at 60 Hz.
	boxes    = 8
	boxBytes = 256 << 10

	// batch is how many datagrams a system call moves.
	batch = 64

	// sendWait is how long the sidecar waits for room in the socket until payloads are dropped.
	sendWait = 20 * time.Millisecond

	// bufferLen is what the sidecar asks of the kernel for its receive buffer, in bytes.
	bufferLen = 4 << 20

	// reportEvery is how often the log and the audit hear of one kind of fault.
	reportEvery = time.Minute
)
