package statuspage

import "time"

const (
	// maxStreams is how many readers of /events there are at once: a few operators, each with a few
	// tabs.
	maxStreams = 16

	// streamEvery is how often a stream looks for new decisions, quick enough for an eye.
	streamEvery = 200 * time.Millisecond

	// streamIdle is the silence after which a stream sends a comment, so that a reader who has gone
	// is noticed.
	streamIdle = 15 * time.Second

	// streamWrite is how long a reader may take for what it is sent before its stream ends. It may
	// come again.
	streamWrite = 5 * time.Second

	// maxRequest is the longest body of a POST in bytes: two names of 256 bytes each, escaped, fit.
	maxRequest = 4096

	// maxShown is how many players a state has at most, so that making one never holds up a tick:
	// more rows nobody reads.
	maxShown = 200

	// maxBans is how many bans a state has at most, for the same reason.
	maxBans = 200

	// lookEvery is the least between two looks at the server: smooth to the eye, however many ask.
	lookEvery = 100 * time.Millisecond

	// lookTime is how long a look waits for a turn of the server: far longer than any tick, and no
	// longer than a health check usually waits.
	lookTime = 900 * time.Millisecond

	// deadTime is for how long looks have to fail until a restart is asked for: players come back
	// from a stall of a few seconds, and after 30 s their sessions are over anyway.
	deadTime = 30 * time.Second

	// maxConns is how many connections NewServer holds at once: every stream, a browser's other
	// five for each, and a scraper and a prober beside them.
	maxConns = 128

	// readTime, writeTime and idleTime bound a request, an answer and the wait for the next one; a
	// stream sets its own time for what it writes.
	readTime, writeTime, idleTime = 5 * time.Second, 10 * time.Second, time.Minute

	// maxHeader is the longest header of a request in bytes.
	maxHeader = 1 << 14
)
