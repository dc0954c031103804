package handshake

import (
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

const (
	// VerifyLen is the longest HelloVerifyRequest of ours in bytes, with a cookie of 32.
	VerifyLen = record.HeaderLen + messageHeaderLen + 3 + 32

	// MaxHellos is how many times a server asks for the cookie in one handshake: for a ClientHello
	// and its retransmissions.
	MaxHellos = 8

	// MaxHello is the longest ClientHello in bytes that a server assembles, 4 KiB: with two
	// post-quantum key shares one has half of that.
	MaxHello = 4 << 10

	// maxExtensions is how many extensions a ClientHello may have: browsers send 20.
	maxExtensions = 64

	// AlertPatience is how long a handshake waits for something better than an alert, which may be
	// forged: longer than a round trip by satellite and a retransmission.
	AlertPatience = time.Second

	// MaxServerBytes is how many bytes of handshake a server accepts from one client, 16 KiB: a
	// certificate chain and some retransmissions. An engine keeps several times as much.
	MaxServerBytes = 16 << 10

	// MaxClientBytes is the same for a client, which has chosen its server. Over a round trip of a
	// second, a server with a long chain sends it several times before it receives anything.
	MaxClientBytes = 64 << 10

	// maxDistance is how far from a ClientHello's the record numbers of a handshake are at most: more
	// than the records of MaxClientBytes, so few of all that a forger who guesses has no chance.
	maxDistance = 1 << 12

	// maxDatagram is the longest datagram in bytes that Deliver accepts: more than any path MTU in
	// use. With the records that the filter adds it is below the 8,192 bytes that an engine reads
	// at once, and so is the record of a MaxHello.
	maxDatagram = 4096

	// maxHeld is how many early Finished records wait, those of the first transmissions.
	maxHeld = 4

	// defaultMTU is the largest UDP payload in bytes that an engine sends, as that of package wire.
	defaultMTU = 1200

	// minMTU leaves room for a fragment of a useful size.
	minMTU = 256

	// minRSA is the smallest RSA modulus in bits that is accepted (RFC 9325 4.5).
	minRSA = 2048

	// Retransmit is the time after which an engine first sends an unanswered flight again: twice a
	// usual round trip.
	Retransmit = 200 * time.Millisecond
)
