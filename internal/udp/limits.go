package udp

import "time"

// Limits. Each says its unit and its reason.
const (
	// MaxLen is the largest datagram that is looked at, in bytes: an Ethernet
	// frame's worth, since a foreign client's handshake may fill one.
	MaxLen = 1500

	// BufferLen is the length of a receive buffer: more than MaxLen, so that a
	// longer datagram is seen to be longer.
	BufferLen = MaxLen + 4

	// BatchLen is how many datagrams are received or sent together.
	BatchLen = 64

	// QueueLen is how many datagrams wait between a socket that cannot be
	// drained and its owner; then the oldest goes. 4,096 are 68 ms of 1,000
	// players at 60 Hz.
	QueueLen = 4096

	// FailuresInRow is after how many reads in a row that have failed a reader sleeps for
	// FailurePause: a socket that is broken takes a tenth of a processor then, and 80,000
	// failures a second, a line of 1 Gbit/s full of datagrams that are too long, still
	// leave two thirds of the time for reading.
	FailuresInRow = 256
	FailurePause  = time.Millisecond

	// tryTime is how long TryRead waits where it has to: a read whose deadline has passed does not
	// look for a datagram, and one that finds a datagram does not wait.
	tryTime = 100 * time.Microsecond

	// kernelBuffer is what is asked of the kernel for receiving and for sending,
	// in bytes: it doubles it, and accounts about 768 bytes for a small datagram,
	// so some 10,000 fit.
	kernelBuffer = 4 << 20

	// ShardMask is the part of a connection id that names a shard, of which there are at
	// most 256.
	ShardMask = 0xff
)
