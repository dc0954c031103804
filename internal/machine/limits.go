package machine

import (
	"time"

	"github.com/sallyport/sallyport/token"
)

// Limits and defaults. Each says its unit and its reason.
const (
	// resumeShare is the part of MaxSessions that there is besides for players who come
	// back by ticket: whoever loses the path for longer than the idle time, or comes
	// from a server that is no more, is one of few at a time.
	resumeShare = 16

	// silentTime is for how long a session must have been silent to give way to another one of its player, and youth how
	// old it must be where it need not be silent.
	silentTime = 2 * time.Second
	youth      = 10 * time.Second

	// maxHolds bounds how often the time doubles for which a session stays that has taken another's place: 10 s at first,
	// 640 s at last, and a match goes on meanwhile.
	maxHolds = 7

	// maxHeld is how many seconds' worth the sessions of one player may together send beyond their rate before they are
	// revoked: what a path may hold back and deliver while the players go on, which is ten, and a part of a second.
	maxExcess = 11

	// restoreTime is how long before its session is restored a datagram may have
	// arrived: a level is loaded between Listen and the first Poll.
	restoreTime = time.Minute

	// helloTimeout is how long a connection may take from its handshake to a
	// complete HELLO, and a verification from HELLO to its outcome.
	helloTimeout = 5 * time.Second

	// retryAfter is what a client is told that is refused for lack of room.
	retryAfter = time.Second

	// maxRemembered bounds the memory of what counts once, in entries of 60 to
	// 95 bytes: 400 MB at most, where seats and the life of tokens ask for it.
	// minRemembered is what it always may have, some 6 MB.
	maxRemembered = 1 << 22
	minRemembered = 1 << 16

	// shortestStay is the shortest mean stay of a full server's players at which none
	// is ever refused for lack of memory: below it nobody plays.
	shortestStay = time.Minute

	// tokensOfSession is how many entries of one session may count at once: that of
	// the token which opened it, four of renewals a quarter of a life apart, one
	// more that comes early, one for a step up, and one in reserve.
	tokensOfSession = 8

	// memorySlot is how many seconds of entries are forgotten together: what is past
	// takes room for so long.
	memorySlot = 8

	// shareEvery and minShare bound the entries of one player: one each 15 s of the
	// longest life of a token, four times what one seat may take. cells is the length
	// of each of the two rows in which they are counted.
	shareEvery = 15 * time.Second
	minShare   = 64
	shareCells = 1 << 14

	// renewalsOfLife is how often a session may be renewed within a token's life: a
	// client needs one or two, and each is remembered.
	renewalsOfLife = 4

	// revocationLife is how long a revocation of a player or of a token is
	// remembered: until the longest token that it concerns has expired.
	revocationLife = token.LongestLife + token.MaxLeeway

	// noticeInterval is how often a NOTICE is repeated until it is obeyed.
	noticeInterval = time.Second

	// silenceTime is the length from which on a player's first silence stops the time of a step up: two NOTICEs have
	// come to nothing.
	silenceTime = 2 * noticeInterval

	// hangTime is how long after its last NOTICE the server hangs: the next one is overdue by half.
	hangTime = noticeInterval + noticeInterval/2

	// maxPatience is how long, in all, the time of a step up stops for a token that waits for its verification: a key
	// set that is fetched again, and the queue behind it. A forged token gains no more than that, once.
	maxTokenWait = 30 * time.Second

	// homeTime is how long a player must have been back at the network that its session is bound to until nothing is
	// owed any more: six times what a step up leaves, so that an absence now and then adds up.
	homeTime = time.Minute

	// maxSequence is the highest number with which a direction may go on: a client
	// that claims more has not sent so many.
	maxSequence = 1 << 62

	// firstRetransmit and maxRetransmit pace what a client repeats until it is
	// answered: HELLO and RENEW. Each repetition doubles the wait.
	firstRetransmit = 200 * time.Millisecond
	maxRetransmit   = 2 * time.Second

	// minRetransmit is the shortest wait of a RENEW whose session is about to
	// expire.
	minRetransmit = 50 * time.Millisecond

	// flowTime is how long after a payload more are expected.
	flowTime = time.Second

	// probeInterval is how soon a PING is followed by the next one that has not been
	// answered, and lostTime how long none of them may be until the path counts as
	// lost: three may be lost on a path that is only bad.
	probeInterval = 200 * time.Millisecond
	lostTime      = 500 * time.Millisecond
)
