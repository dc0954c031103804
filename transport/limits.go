package transport

import (
	"math"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// MaxPayload is the largest payload in bytes that fits a datagram. A client in bearer mode has less
// room: see Client.MaxPayload.
const MaxPayload = 1145

// Packages dtls and wire agree on the largest datagram.
var _ = [1]struct{}{}[dtls.MaxDatagram-wire.MaxDatagram]

// never is later than any time of a schedule.
const never = time.Duration(math.MaxInt64)

// Limits and defaults. Each says its unit and its reason.
const (
	// defaultMaxHandshakes is how many handshakes may be under way at once: an
	// engine holds up to 40 KB for each (PROTOCOL.md, "Limits").
	defaultMaxHandshakes = 1024

	// defaultMaxUnproven is how many of them, within one /24 or /64, may come
	// from addresses that have not yet returned their cookie; within a /56 and a
	// /48 it is 4 and 16 times as many.
	defaultMaxUnproven = 8

	// defaultHandshakeTimeout ends a handshake that takes longer: six
	// retransmissions at 200 ms and a round trip of a second fit.
	defaultHandshakeTimeout = 5 * time.Second

	// maxPump is how many datagrams leave for one player at once: more than 8 ms at the highest rate.
	maxPump = 128

	// minPause is the shortest time until a player's lanes are looked at again, if nothing happens to
	// them: a bulk transfer needs no finer one.
	minPause = 500 * time.Microsecond

	// closeAfterStep is how often CloseAfter of a client looks whether everything has arrived.
	closeAfterStep = 2 * time.Millisecond

	// recordSkip is what is added to a record number that another process has left:
	// no nonce of its last moments is ever used again, whatever it did in them.
	recordSkip = 4096

	// outagePatience is how long the fetch of an issuer's keys has to fail before the audit is told,
	// while keys of before are trusted: three attempts, so that one lost answer is no alarm.
	outagePatience = 10 * time.Second

	// proofTimeout is how long finished keys wait for the first record that
	// opens under them.
	proofTimeout = 5 * time.Second

	// lingerTime is how long a connection outlives its session, so that a
	// repeated HELLO gets its CLOSE again and late datagrams their right reason.
	lingerTime = 5 * time.Second

	// closeTime is how long a CLOSE is repeated at most, until the other end answers it
	// with close_notify, and how long each copy of one is answered: on a path that loses
	// one datagram in ten, one end in 10,000 is not heard of.
	closeTime = time.Second

	// partingInterval is how often Shutdown looks whether players have answered.
	partingInterval = 5 * time.Millisecond

	// verifyQueue is how many identity tokens may wait for verification; at
	// 150 µs each, two cores clear it in 80 ms.
	verifyQueue = 1024

	// maxParked is how many tokens wait for a key of their issuer at once, at 8 KB
	// each, maxParkedEach how many of them for one /24 or /64 (16 for a /56, 64 for
	// a /48), and parkTime how long. A key set fetches once for all that wait, and
	// whoever finds no room comes again in a second: the key is known by then.
	maxParked     = 256
	maxParkedEach = 4
	parkTime      = token.DefaultFetchTimeout

	// maxParkings is a rate of no concern: of tokens that wait, only their number at once is.
	maxParkings = 1_000_000_000

	// verifyPatience is how long a Verifier that does not say when it is about to
	// wait holds a worker: some hundred signatures.
	verifyPatience = 20 * time.Millisecond

	// receiveQueue is how many payloads wait for a client's Receive; then the
	// oldest goes. Two seconds at 128 Hz. As many messages of mode Unreliable and Sequenced wait for
	// its handler.
	receiveQueue = 256

	// maxTurn is how many datagrams one Poll of a client handles: more than the queue of a socket
	// usually holds, so that a flood does not stop the game's frame.
	maxTurn = 1024

	// maxReceipts is how many receipts wait for a client's handler: more than messages of 16 lanes
	// with the default queue, so that only a game that takes none loses the oldest.
	maxReceipts = 1 << 15

	// maxLetters is how many reliable messages and values wait for a client's handler: what a busy
	// match sends in half a minute. The last datagram may exceed it.
	maxLetters = 1 << 15

	// maxLetterKept is how many bytes of a message that has been handed over are kept for the next:
	// a snapshot fits, a map does not.
	maxLetterKept = 16 << 10

	// renewRetry is how long a client waits after no fresh token could be had.
	renewRetry = time.Second

	// tokenPatience is how long a call of ClientConfig.Token has after Dial: half of the time that a
	// step up has by default, since a connection to the login hangs if the network has changed.
	tokenPatience = 5 * time.Second

	// renewPatience is how long a RENEW may wait for its answer before another token
	// is tried; in bearer mode half of the life that is left, if that is longer.
	renewPatience = 10 * time.Second

	// attemptTime is how long an attempt at another connection may hear nothing
	// before a new one is made, attemptPause how soon after one has failed, and
	// refusedPause how soon after a ticket was refused: by then another server may
	// stand at the address.
	attemptTime  = dtls.HalfOpenSilence
	attemptPause = 200 * time.Millisecond
	refusedPause = 3 * time.Second

	// helloPatience is how long Dial waits for the answer to HELLO: a server has five
	// seconds for its verdict on an identity token, and what it says may be lost at first.
	helloPatience = 5*time.Second + attemptTime

	// maxDoublings is how often Dial doubles attemptTime while nothing comes at all: 48 s
	// are longer than any round trip, and the engine repeats its ClientHello meanwhile.
	maxDoublings = 5

	// maxAddresses is how many addresses of one name a client tries: no more than the
	// handshakes that a server lets begin at once.
	maxAddresses = defaultMaxUnproven

	// maxSpoilt is how often Dial begins anew at an address where a handshake has failed because of what
	// has changed on its way.
	maxSpoilt = 3

	// addressPause is how long the server's next address waits for those before it to
	// answer (RFC 8305, section 5), and searchInterval how often that is looked at.
	addressPause   = 250 * time.Millisecond
	searchInterval = 50 * time.Millisecond

	// sendPatience is how long nothing may be sent, because the socket refuses it, until
	// Dial gives up: a second is soon, and an interface that comes up is still noticed.
	sendPatience = 600 * time.Millisecond

	// vainAttempts is how many handshakes by UDP have to be in vain, each for attemptTime, before
	// ClientConfig.Fallback is asked for a carrier, and carrierTime how long that may take.
	vainAttempts = 2
	carrierTime  = 10 * time.Second

	// lookInterval is how soon a client that has lost its server looks its name up again.
	lookInterval = 5 * time.Second

	// maxQuoted is how many characters of a name an error's text quotes, of a certificate or a
	// token, and maxNames how many names: enough to recognize them.
	maxQuoted = 100
	maxNames  = 6

	// drainRepeat is how often Drain tells players where to go, and drainLook how often it looks
	// whether they have gone.
	drainRepeat = time.Second
	drainLook   = 20 * time.Millisecond

	// redirectLeast and redirectMost are how long a client tries to go where its server has sent it,
	// whatever the server says: a server that is about to end says 0, and its address may be anybody's.
	// redirectSpread is within which time the clients of a server set out, so that the other one does
	// not get all of their handshakes at once.
	redirectLeast  = 10 * time.Second
	redirectMost   = 10 * time.Minute
	redirectSpread = 2 * time.Second

	// maxHops is how often a client goes where its servers send it, within hopTime: more than a
	// rollout moves anybody, and servers that send players to each other end it soon.
	maxHops = 8
	hopTime = 10 * time.Minute

	// clockError is by how much two statements of one time may differ that took
	// different ways.
	clockError = time.Second

	// formerTime is how long a client listens to the connection before.
	formerTime = 2 * time.Second

	// rekeyMargin is how many records before the last one a client makes another
	// connection: eight minutes at 128 Hz.
	rekeyMargin = 1 << 16

	// clockDrift, clockJump and clockSettle: a wall clock that differs by more than
	// the first from what has elapsed is believed if it stays so for the third. The
	// first is less than the leeway of most tokens. More than the second is an alarm.
	clockDrift  = time.Second
	clockJump   = 30 * time.Second
	clockSettle = 60 * time.Second
)

// closeWaits are how long an end waits for an answer to each of the copies of its CLOSE: closeTime in all.
var closeWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 300 * time.Millisecond}
