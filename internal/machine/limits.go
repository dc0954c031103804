package machine

import (
	"time"

	"github.com/sallyport/sallyport/token"
)

// Limits. Each states its unit and its reason.
const (
	// resumeShare is the part of MaxSessions that exists in addition for players who resume by
	// ticket: few at a time have lost their path for longer than the idle time, or come from a
	// server that has gone.
	resumeShare = 16

	// silentTime is how long a session must have been silent to be replaced by another one of its
	// player. minAge is how old it must be to be replaced while it is not silent.
	silentTime = 2 * time.Second
	minAge     = 10 * time.Second

	// maxReplacements bounds how often the protection of a session that has replaced another one
	// doubles: from 10 s to 640 s, long enough to play a match.
	maxReplacements = 7

	// maxExcess is how many seconds' worth of state changes the sessions of one player may send
	// together beyond their rate before they are revoked. A path may hold back 10 s of traffic and
	// deliver it while the clients continue; the eleventh second covers the fraction.
	maxExcess = 11

	// restoreTime is how long before the restoration of its session a datagram may have arrived: a
	// game loads its level between Listen and the first Poll.
	restoreTime = time.Minute

	// helloTimeout is how long a connection may take from its handshake to a complete HELLO, and
	// a verification from HELLO to its result.
	helloTimeout = 5 * time.Second

	// retryAfter is sent to a client that is refused for lack of room.
	retryAfter = time.Second

	// maxRemembered bounds the memory of used tokens and tickets, in entries of 60 to 95 bytes:
	// 400 MB at most, if MaxSessions and the life of tokens need it. minRemembered is always
	// allowed, about 6 MB.
	maxRemembered = 1 << 22
	minRemembered = 1 << 16

	// shortestStay is the shortest mean stay at which a full server never refuses players for lack
	// of memory: no match is shorter.
	shortestStay = time.Minute

	// tokensOfSession is how many entries of one session may exist at once: the token that opened
	// it, four renewals a quarter of a life apart, one early renewal, one step up, one in reserve.
	tokensOfSession = 8

	// memorySlot is how many seconds of entries are removed together: expired entries stay up to
	// that long.
	memorySlot = 8

	// maxUsedElsewhere bounds what is remembered of the tokens and tickets that other servers of the
	// fleet have used up, and maxPutOutElsewhere of the sessions that they have put out: 60 to 95 bytes
	// each, 120 MB at most.
	maxUsedElsewhere   = 1 << 20
	maxPutOutElsewhere = 1 << 18

	// longestUse is for how long anything of another server is remembered: as long as the
	// longest-lived token, by a clock that is a minute ahead.
	longestUse = token.LongestLife + token.MaxLeeway + time.Minute

	// shareEvery and minShare bound the entries of one player: one per 15 s of the longest life of
	// a token, four times what one seat may take. shareCells is the length of each of the two rows
	// in which they are counted.
	shareEvery = 15 * time.Second
	minShare   = 64
	shareCells = 1 << 14

	// renewalsOfLife is how often a session may be renewed within the life of a token: a client
	// needs one or two, and each takes memory.
	renewalsOfLife = 4

	// maxNote is the longest note of a ban in bytes: with reason and end it fits the message of a line
	// of the audit.
	maxNote = 64

	// revocationLife is how long a revocation of a player or of a token is kept: until the
	// longest-lived token that it covers has expired.
	revocationLife = token.LongestLife + token.MaxLeeway

	// noticeInterval is how often a NOTICE is repeated until the client complies.
	noticeInterval = time.Second

	// silenceTime is how long a client's first silence must be to pause the time of a step up: two
	// NOTICEs have not been answered.
	silenceTime = 2 * noticeInterval

	// hangTime is how long after its last NOTICE the server counts as hanging: the next NOTICE is
	// late by half an interval.
	hangTime = noticeInterval + noticeInterval/2

	// maxTokenWait is how long, in all, the time of a step up pauses for a token that waits for its
	// verification: a key set that is fetched again, and the queue behind it. A forged token gains
	// no more than that, once.
	maxTokenWait = 30 * time.Second

	// homeTime is how long a client must have been back in the network that its session is bound to
	// until no token is owed any more: six times the default time for a step up, so that repeated
	// absences add up.
	homeTime = time.Minute

	// maxSequence is the highest number with which a direction may continue: no client has sent
	// that many datagrams.
	maxSequence = 1 << 62

	// firstRetransmit and maxRetransmit pace the messages that a client repeats until they are
	// answered: HELLO and RENEW. Each repetition doubles the wait.
	firstRetransmit = 200 * time.Millisecond
	maxRetransmit   = 2 * time.Second

	// minRetransmit is the shortest wait of a RENEW whose session is about to expire.
	minRetransmit = 50 * time.Millisecond

	// flowTime is how long after a payload more are expected.
	flowTime = time.Second

	// probeInterval is how long after an unanswered PING the next one is sent. lostTime is how long
	// none may be answered before the path counts as lost: a bad path may lose three.
	probeInterval = 200 * time.Millisecond
	lostTime      = 500 * time.Millisecond

	// unheardTime is how long no PONG may come before the path towards the server counts as lost, although
	// datagrams come from there: a path that loses a quarter either way leaves fifteen PINGs in a row without
	// one four times in a million.
	unheardTime = 3 * time.Second

	// longestRoundTrip is the longest round trip by which the path is judged, and idleRoundTrips how many of them the
	// idle time has at least: one that was measured while the client's process stood still is as long as that, and
	// the path is found lost in time all the same.
	longestRoundTrip = 2 * time.Second
	idleRoundTrips   = 16

	// idlePings is how many PINGs a client sends in the idle time at least, since some may be lost.
	idlePings = 6

	// pingsKept is how many PINGs are kept for their PONGs: those of unheardTime.
	pingsKept = 16
)
