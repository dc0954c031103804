package transport

import (
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
)

// MaxPayload is the largest payload in bytes that fits a datagram. A client in bearer mode has less
// room: see Client.MaxPayload.
const MaxPayload = wire.MaxBody

// Packages dtls and wire agree on the largest datagram.
var _ = [1]struct{}{}[dtls.MaxDatagram-wire.MaxDatagram]

// Limits and defaults. Each says its unit and its reason.
const (
	// defaultMaxHandshakes is how many handshakes may be under way at once: an
	// engine holds up to 40 KB for each (PROTOCOL.md, "Limits").
	defaultMaxHandshakes = 1024

	// defaultMaxUnproven is how many of them, within one /24 or /64, may come
	// from addresses that have not yet returned their cookie; within a /56 and a
	// /48 it is 4 and 16 times as many.
	defaultMaxUnproven = policy.DefaultUnproven

	// defaultHandshakeTimeout ends a handshake that takes longer: six
	// retransmissions at 200 ms and a round trip of a second fit.
	defaultHandshakeTimeout = 5 * time.Second

	// recordSkip is what is added to a record number that another process has left:
	// no nonce of its last moments is ever used again, whatever it did in them.
	recordSkip = 4096

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
	// oldest goes. Two seconds at 128 Hz.
	receiveQueue = 256

	// renewRetry is how long a client waits after no fresh token could be had.
	renewRetry = time.Second

	// renewPatience is how long a RENEW may wait for its answer before another token
	// is tried.
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

	// addressPause is how long the server's next address waits for those before it to
	// answer (RFC 8305, section 5), and searchInterval how often that is looked at.
	addressPause   = 250 * time.Millisecond
	searchInterval = 50 * time.Millisecond

	// sendPatience is how long nothing may be sent, because the socket refuses it, until
	// Dial gives up: a second is soon, and an interface that comes up is still noticed.
	sendPatience = 600 * time.Millisecond

	// lookInterval is how soon a client that has lost its server looks its name up again.
	lookInterval = 5 * time.Second

	// clockError is by how much two statements of one time may differ that took
	// different ways.
	clockError = time.Second

	// formerTime is how long a client listens to the connection before.
	formerTime = 2 * time.Second

	// rekeyMargin is how many records before the last one a client makes another
	// connection: eight minutes at 128 Hz.
	rekeyMargin = 1 << 16

	// clockJump and clockSettle: a wall clock that differs by more than the
	// first from what has elapsed raises an alarm, and is believed only if it
	// stays so for the second.
	clockJump   = 30 * time.Second
	clockSettle = 60 * time.Second
)

// closeWaits are how long an end waits for an answer to each of the copies of its CLOSE: closeTime in all.
var closeWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 300 * time.Millisecond}
