package nakamabridge

import "time"

// Limits and defaults. Each says its unit and its reason.
const (
	// defaultQueue is how many inputs wait for a match's tick: a hundred players at 128 Hz and a
	// tick of 10 Hz, three times over. Inputs that find the queue full are dropped and counted. A
	// waiting input takes 80 bytes and its data, which is never more than a datagram's for each
	// input of the limit.
	defaultQueue = 4096

	// defaultTokenLife is the lifetime of the RPC's tokens: a client renews a few times an hour,
	// and a logout that no hook reports ends UDP soon.
	defaultTokenLife = 5 * time.Minute

	// defaultBanInterval is how often the accounts of players are checked.
	defaultBanInterval = 30 * time.Second

	// JoinWait is how long a UDP session waits for its socket to join the match: as long as Nakama
	// keeps its own marker of a player who was admitted and has not joined.
	JoinWait = 15 * time.Second
)

const (
	// DefaultAddress is the UDP port of PROTOCOL.md's examples, on every interface.
	DefaultAddress = ":7777"

	// minTokenLife is the shortest lifetime of a token that can be used at all: a handshake at a
	// round trip of a second.
	minTokenLife = 5 * time.Second

	// verifyTimeout bounds a sign-in's wait for a key set, below the ten seconds after which
	// clients give up.
	verifyTimeout = 5 * time.Second

	// accountTimeout bounds a query of the accounts.
	accountTimeout = 5 * time.Second

	// revokeSettle is how long after Revoke no session is admitted: far longer than the time
	// between the check of a token and the entry in the table of players, which is within one turn
	// of the UDP server.
	revokeSettle = time.Second

	// accountBatch is how many accounts are asked for at once: one query, far below a database's
	// limit of parameters.
	accountBatch = 100

	// maxPayload is the longest payload of the RPC in bytes: a match id, and metadata each byte of
	// which may be escaped with six in JSON.
	maxPayload = 4096

	// maxMatchID is the longest match id in bytes: a UUID, a dot, and a node's name.
	maxMatchID = 100

	// maxKnown is how many identities, profiles and revocations are remembered of each, newest
	// first: ten times the players of a server. Identities are found in the database as well.
	maxKnown = 100_000

	// maxMetadata is how many bytes of metadata, keys and values together, a player may bring to a
	// match. With profiles it is remembered until the player has joined.
	maxMetadata = 512

	// maxDetail is how many bytes of a reason a CLOSE carries. PROTOCOL.md 10
	maxDetail = 64

	// lastWords is how long a session that the match ends waits for its reliable broadcasts to arrive:
	// a few repetitions on a bad path.
	lastWords = 5 * time.Second

	// logInterval is the least time between two log lines of a match about the same fault, where
	// players can cause it.
	logInterval = time.Minute

	// maxReported is for how many op codes a match logs that broadcasts do not fit. Op codes may be
	// what clients have sent.
	maxReported = 16

	// stopSettle is how long after a match the end of the Bridge's context may come when it is the
	// server that stops: Nakama stops all matches first, and then ends the context at once.
	stopSettle = 250 * time.Millisecond

	// certificateLife is how long a certificate made here is valid: longer than any process runs,
	// since clients identify it by its pin.
	certificateLife = 10 * 365 * 24 * time.Hour
)
