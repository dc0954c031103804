package succession

import "time"

const (
	// startTime is how long a child may take until it listens, statsTime until it answers a question: a busy machine's
	// worst.
	startTime = 10 * time.Second
	statsTime = 5 * time.Second

	// shutdownTime is how long a child may take to hand its players on, and stopTime until it has ended; then it is
	// killed.
	shutdownTime = 5 * time.Second
	stopTime     = 8 * time.Second

	// auditQueue is how many decisions wait to be written: a burst of all players that a server admits.
	auditQueue = 1 << 14
)
