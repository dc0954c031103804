package session

import "time"

// Limits and defaults. Each says its unit and its reason.
const (
	// DefaultMaxSessions is how many live sessions a Gate admits at once: what
	// two cores hold at 10 datagrams a second each.
	DefaultMaxSessions = 10_000

	// DefaultWindow is the replay window in datagrams: 8 s at 128 Hz.
	DefaultWindow = 1024

	// DefaultOverlap is how long the previous epoch stays good after the first
	// datagram of the new one: longer than any datagram is on its way.
	DefaultOverlap = 5 * time.Second

	// DefaultIdle ends a session from which nothing was accepted for so long.
	DefaultIdle = 30 * time.Second

	// DefaultRate is how many datagrams a second a session may send in the long
	// run: twice the fastest tick in use (128 Hz).
	DefaultRate = 256

	// DefaultBurst is how many datagrams may come at once: four seconds at
	// 128 Hz, since a stalled path delivers in clumps.
	DefaultBurst = 512

	// DefaultBadTags revokes a session after so many wrong tags in a row. Only
	// the peer itself can send one, since the record has authenticated.
	DefaultBadTags = 8

	// helloTimeout is how long a connection may take from its handshake to a
	// complete HELLO, and a verification from HELLO to its outcome.
	helloTimeout = 5 * time.Second

	// retryAfter is what a client is told that is refused for lack of room.
	retryAfter = time.Second

	// maxUsedTokens bounds the memory of identity tokens that opened a session
	// (about 20 MB when full). When it is full newcomers are refused: to forget
	// one would let a stolen token in.
	maxUsedTokens = 1 << 18

	// minUsedLife is the least time in which used tokens are remembered together.
	minUsedLife = time.Minute

	// firstRetransmit and maxRetransmit pace what a client repeats until it is
	// answered: HELLO and RENEW. Each repetition doubles the wait.
	firstRetransmit = 200 * time.Millisecond
	maxRetransmit   = 2 * time.Second

	// minRetransmit is the shortest wait of a RENEW whose session is about to
	// expire.
	minRetransmit = 50 * time.Millisecond

	// DefaultKeepAlive is the client's silence after which it sends a PING: it
	// must stay well below DefaultIdle and below the 30 s after which many
	// address translators forget a UDP mapping.
	DefaultKeepAlive = 5 * time.Second
)
