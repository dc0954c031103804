package nakamabridge

import "time"

// Limits and defaults. Each says its unit and its reason.
const (
	// DefaultQueue is how many inputs wait for a match's tick: a hundred players at 128 Hz and a tick of 10 Hz, three
	// times over. What comes when it is full is refused and counted. An input waits
	// with 80 bytes and its data.
	DefaultQueue = 4096

	// DefaultTokenLife is the life of the tokens that the RPC hands out: a client renews a few times an hour, and a
	// logout of which no hook tells ends UDP soon.
	DefaultTokenLife = 5 * time.Minute

	// DefaultBanInterval is how often the accounts of those who play are looked at.
	DefaultBanInterval = 30 * time.Second

	// JoinWait is how long a UDP session waits for its socket to join the match: as long as Nakama keeps its own
	// marker of a player who was let in and has not come.
	JoinWait = 15 * time.Second
)

const (
	// DefaultAddress is the UDP port of PROTOCOL.md's examples, on every interface.
	DefaultAddress = ":7777"

	// minTokenLife is what a token needs to be used at all: a handshake at a round trip of a second.
	minTokenLife = 5 * time.Second

	// verifyTimeout bounds a sign-in's wait for a key set, below the ten seconds after which clients give up.
	verifyTimeout = 5 * time.Second

	// accountTimeout bounds a look at the accounts.
	accountTimeout = 5 * time.Second

	// revokeSettle is how long after Revoke nobody gets in: far longer than from the look at a token to the table of those
	// who play, which is within one turn of the UDP server.
	revokeSettle = time.Second

	// accountBatch is how many accounts are asked for at once: one query, far below a database's limit of parameters.
	accountBatch = 100

	// maxCustomID is the longest custom id in bytes that Nakama takes.
	maxCustomID = 128

	// maxPayload is the longest payload of the RPC in bytes; a match id has 53 at most.
	maxPayload = 512

	// maxMatchID is the longest match id in bytes: a UUID, a dot, and a node's name.
	maxMatchID = 100

	// maxKnown is how many identities, profiles and revocations are remembered of each, newest first: ten times the
	// players of a server. Identities are found in the database as well.
	maxKnown = 100_000

	// certificateLife is how long a certificate made here is good: longer than any process runs, since clients know it
	// by its pin.
	certificateLife = 10 * 365 * 24 * time.Hour
)
