package nakama

import (
	"time"

	"github.com/sallyport/sallyport/session"
)

// Defaults. Each states its unit and its reason.
const (
	// DefaultStay is how long a player stays whose WebSocket has broken, while it is made again. It is
	// longer than a match can have the former presence, and refuse the user for it: another gateway may
	// keep the session for its idle time, and Nakama a WebSocket that has fallen silent for its
	// socket.pong_wait_ms, 25 s by default.
	DefaultStay = session.DefaultIdle + 5*time.Second

	// DefaultCheck is how often Nakama is asked whether a match still runs, since it does not tell: a
	// player waits up to twice that long for news that the client has mostly had already.
	DefaultCheck = 2 * time.Second

	// DefaultDials is how many WebSockets and sign-ins are under way at once: some 2 ms each on
	// loopback, so that 500 players are back within a second after Nakama is.
	DefaultDials = 16

	// DefaultMaxInput is the longest input in bytes, op code included: what Nakama's
	// socket.max_message_size_bytes, 4,096 by default, takes with what is around it.
	DefaultMaxInput = 3_900
)

const (
	// laneEvents is where presences go, to clients that have asked for them.
	laneEvents = 2

	// unreliableInputs is how many unreliable inputs of a player wait for a slow WebSocket, and
	// reliableInputs how many bytes of reliable ones, 64 a message included. The oldest unreliable one
	// makes room for a newer one; a reliable one that finds no room ends the session.
	unreliableInputs = 64
	reliableInputs   = 1 << 20

	// spare is the capacity in bytes above which the memory of an input is not kept for the next one.
	spare = 2048

	// joinTimeout is how long a match may take to let a player in, and joinAnswer how long Nakama waits
	// for its answer, which then says that the match has refused.
	joinTimeout = 12 * time.Second
	joinAnswer  = 10 * time.Second

	// requestTimeout bounds a request by HTTP and an upgrade to a WebSocket.
	requestTimeout = 5 * time.Second

	// writeTimeout is how long a WebSocket may take nothing: after that it is broken.
	writeTimeout = 5 * time.Second

	// pingEvery is how often a WebSocket is tested, and pongWait how long its answer may take.
	pingEvery = 5 * time.Second
	pongWait  = 12 * time.Second

	// retryFirst and retryMost are the pauses between two attempts for one player, each up to a half
	// longer, so that the players of a broken connection do not come back in step.
	retryFirst = 50 * time.Millisecond
	retryMost  = time.Second

	// probeEvery is how often Nakama's health is looked at, and probeTimeout how long its answer may take.
	probeEvery   = 500 * time.Millisecond
	probeTimeout = 2 * time.Second

	// settle is how long a WebSocket whose presence is gone has to show that it has broken, before it
	// is taken for that of a player whom the match has kicked.
	settle = 500 * time.Millisecond

	// lastWords is how long a session that the match ends waits for its reliable messages to arrive, as
	// in package nakamabridge.
	lastWords = 5 * time.Second

	// maxMetadata is how many bytes of metadata, names and values together, a player may bring to a
	// match; HELLO has room for less.
	maxMetadata = 512

	// maxMatchID is the longest match id in bytes: a UUID, a dot, and a node's name.
	maxMatchID = 100

	// maxAnswer is the longest answer by HTTP in bytes, and maxFrame the longest message of a WebSocket.
	maxAnswer = 64 << 10
	maxFrame  = 4 << 20

	// maxDetail is how many bytes of a reason a CLOSE carries. PROTOCOL.md 10
	maxDetail = 64

	// remembered is how many session tokens, and matches of sessions that have come from another
	// gateway, are remembered at most: some 800 bytes each.
	remembered = 100_000

	// logEvery is the least time between two log lines about the same fault, where players can cause it.
	logEvery = time.Minute

	// checksAtOnce is how many matches are asked for at once.
	checksAtOnce = 4
)
