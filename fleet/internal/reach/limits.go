package reach

import "time"

const (
	// startTime is how long a child may take until it listens, answerTime until it answers a
	// question, and stopTime until it has ended: a busy machine's worst.
	startTime  = 20 * time.Second
	answerTime = 10 * time.Second
	stopTime   = 10 * time.Second

	// maxLine is the longest line to a child: an order with the keys of all publishers.
	maxLine = 1 << 20

	// handshakes is how many a server begins with players of one address.
	handshakes = 1 << 16

	// dialsAtOnce is how many players dial at a time.
	dialsAtOnce = 8

	maxSessions = 1 << 14
)
