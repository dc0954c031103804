package netsim

import "time"

const (
	// DefaultQueue is how long a datagram waits at a bottleneck at most: as in a home router, where a
	// quarter of a second of a slow line is a usual buffer.
	DefaultQueue = 250 * time.Millisecond

	// MaxDelay is the largest Latency, Jitter, Late or Queue. Sums of them stay far from an overflow.
	MaxDelay = 24 * time.Hour

	// MaxBandwidth is the largest Bandwidth in bits a second: a terabit. A packet of 20 bytes would
	// take less than a nanosecond beyond.
	MaxBandwidth = 1_000_000_000_000

	// maxQueue is how many datagrams wait for a reader; later ones are dropped and counted, as a
	// kernel does. 4,096 are two seconds of the fastest sender that a session tolerates.
	maxQueue = 4096

	// maxPayload is the largest UDP payload in bytes: 65,535 less the IPv4 and UDP headers.
	maxPayload = 65535 - headerIPv4

	// headerIPv4 and headerIPv6 are the IP and UDP headers of a packet, in bytes.
	headerIPv4 = 20 + 8
	headerIPv6 = 40 + 8

	// maxHold is how long a datagram that is to be overtaken waits for another one on its link.
	maxHold = 100 * time.Millisecond

	// firstPort is where the search for a free port begins: the first dynamic port of RFC 6335.
	firstPort = 49152
)
