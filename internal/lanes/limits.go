package lanes

import (
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// What a peer can make an endpoint hold.
const (
	// MaxSpan is how many ids of a lane of mode Reliable or Ordered may be under way, from its oldest
	// unfinished one: a second of 16 messages a tick, and 16 KiB of slots.
	MaxSpan = 1024

	// DefaultCredit is how many bytes of a lane of these modes may have been begun and not been taken:
	// a second of a busy lane, so that a lost CREDIT holds nothing up.
	DefaultCredit = 64 << 10

	// MaxWindow is how many sequences below the highest an endpoint can still accept and
	// acknowledge: a second at 1 MB/s, in 128 bytes.
	MaxWindow = 1024

	// MaxPartials is how many messages of a lane of mode Unreliable or Sequenced are put together at
	// once: those of the last ticks, however their fragments are reordered.
	MaxPartials = 4

	// MaxReassembly is how many bytes of messages of these modes a session puts together, or one
	// message of the longest lane: 40 snapshots of 6 KB.
	MaxReassembly = 256 << 10

	// MaxKeys is how many keys a lane of mode Latest has, with values or just removed.
	MaxKeys = 1024

	// MaxStale is how far below the newest id of its lane a LATEST may be.
	MaxStale = 1024
)

// What an endpoint holds of its own.
const (
	// DefaultQueue is how many bytes a lane queues, those under way included.
	DefaultQueue = 256 << 10

	// maxAge is the largest MaxAge: WELCOME has 4 bytes for its milliseconds.
	maxAge = (1<<32 - 1) * time.Millisecond

	// messageCost is what a message takes of its lane's queue besides its bytes: what keeps track of
	// it, so that empty messages are bounded, too.
	messageCost = 128

	// maxOutstanding is how many datagrams wait for their acknowledgement: twice what the peer's
	// window can still acknowledge.
	maxOutstanding = 2 * MaxWindow

	// rest is after how long an idle endpoint gives up its buffers.
	rest = time.Second

	// maxRepeats is how many messages wait for their repetition: a tick's worth.
	maxRepeats = 32

	// maxInsured is the longest message that is repeated, in bytes: a third of a datagram.
	maxInsured = 384
)

// Bytes and times of the network.
const (
	// overhead is what a body's datagram has besides it on the link: IP, UDP, record and envelope.
	overhead = 28 + record.Overhead + wire.HeaderLen

	// maxSize is the largest datagram on the link.
	maxSize = wire.MaxBody + overhead

	// maxHeader is the longest header of a frame with data: type, key and id of 8 bytes, length.
	maxHeader = 1 + 8 + 8 + 2

	// ackRoom is the longest ACK before other frames, in bytes: room for 16 ranges, and any frame
	// fits behind it. Alone an ACK may fill the body.
	ackRoom = wire.MaxBody - wire.MaxFragment - maxHeader

	// initialRTT is assumed until there is a sample: RFC 9002 has 333 ms, for paths of all kinds;
	// a match server is nearer.
	initialRTT = 200 * time.Millisecond

	// granularity is the least variance of a probe's time-out: RFC 9002, 6.1.2.
	granularity = time.Millisecond

	// maxPTO is the longest time between probes: after a blackout the game goes on within a second.
	maxPTO = time.Second

	// baseLife is how long the smallest RTT is believed, and how often a bulk transfer is slowed to
	// see it again.
	baseLife = 10 * time.Second

	// burst is how much of the rate leaves at once, unless a tick is longer: then a tick's worth of
	// it, or of maxTick, if something has waited since the last one.
	burst   = 8 * time.Millisecond
	maxTick = 50 * time.Millisecond

	// ackSpacing is the least time between datagrams of nothing but ACK.
	ackSpacing = 16 * time.Millisecond

	// repeatAfter is how long a message waits for its repetition: less than a tick, so that the next
	// one carries it.
	repeatAfter = 8 * time.Millisecond
)
