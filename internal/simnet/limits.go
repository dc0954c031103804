package simnet

import "time"

const (
	// maxQueue is how many datagrams wait for a reader; later ones are dropped and counted, as a kernel does.
	// 4,096 are two seconds of the fastest sender that a session tolerates.
	maxQueue = 4096

	// maxPayload is the largest UDP payload in bytes: 65,535 less the IPv4 and UDP headers.
	maxPayload = 65535 - 20 - 8

	// maxHold is how long a datagram that is to be overtaken waits for another one on its link.
	maxHold = 100 * time.Millisecond

	// firstPort is where the search for a free port begins: the first dynamic port of RFC 6335.
	firstPort = 49152
)
