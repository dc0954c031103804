package wire

import (
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Version is the protocol version this package reads and writes.
const Version = 1

// Sizes in bytes, from the datagram inwards. Each must stay below the one it is taken from.
const (
	// MaxDatagram is the largest UDP payload: what IPv6 carries everywhere (1,280), minus IP and
	// UDP headers and room for those of a tunnel.
	MaxDatagram = 1200

	// MaxEnvelope is the largest header and body together.
	MaxEnvelope = MaxDatagram - record.Overhead

	// HeaderLen is the length of the envelope's header.
	HeaderLen = 18

	// MaxBody is the largest body, and so the largest DATA payload.
	MaxBody = MaxEnvelope - HeaderLen
)

// Parts of a body that may be longer than a datagram.
const (
	// PartHeaderLen is the length of the header before each part's data: the whole length and the
	// part's offset.
	PartHeaderLen = 4

	// MaxPart is the length of every part but the last; with its headers it stays below MaxBody.
	MaxPart = 1024

	// MaxHelloBody is the longest body that is sent in parts: the longest HELLO of this version has
	// 4,860 bytes, and the rest is reserved for future fields.
	MaxHelloBody = 5 * MaxPart

	// PartialLife is how long the parts of one body may take to arrive, from the first to the last.
	PartialLife = 5 * time.Second
)

// Contents of bodies, in bytes.
const (
	// MaxToken is the longest identity token in HELLO and RENEW: an RS256 token with room for a
	// game's own claims. It is token.MaxLen, which a test compares.
	MaxToken = 4096

	// MaxTicket is the longest ticket; with it, WELCOME and RENEWED fit one datagram.
	MaxTicket = 512

	// MaxText is the longest platform, build or scope.
	MaxText = 128

	// MaxMetadata is the longest metadata in HELLO: with it, HELLO still fits the five parts that
	// its longest token takes.
	MaxMetadata = 256

	// MaxDetail is the longest detail of CLOSE and NOTICE: a CLOSE stays shorter than any HELLO it
	// answers.
	MaxDetail = 64

	// ProofLen is the length of the ticket proof, an HMAC-SHA256.
	ProofLen = 32
)
