package statuspage

import "time"

const (
	// maxStreams is how many readers of /events there are at once: a few operators, each with a few tabs.
	maxStreams = 16

	// streamEvery is how often a stream looks for new decisions, quick enough for an eye.
	streamEvery = 200 * time.Millisecond

	// streamIdle is the silence after which a stream sends a comment, so that a reader who has gone is noticed.
	streamIdle = 15 * time.Second

	// streamWrite is how long a reader may take for what it is sent before its stream ends. It may come again.
	streamWrite = 5 * time.Second

	// maxRevoke is the longest body of a revocation in bytes: two names of 256 bytes each, escaped, fit.
	maxRevoke = 4096
)
