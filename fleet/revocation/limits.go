package revocation

import "time"

const (
	// MaxRecords is how many records a segment holds at most: one signature for each of that many.
	MaxRecords = 1024

	// MaxMessage bounds heads, segments and challenges in bytes: a quarter of what NATS carries.
	MaxMessage = 256 << 10

	// DefaultStale is how old the newest word of a publisher may be: fifteen heartbeats.
	DefaultStale = 15 * time.Second

	// DefaultHeartbeat is how often a publisher signs a head.
	DefaultHeartbeat = time.Second

	// DefaultAnnounce is how often a publisher stores everything that is in force again.
	DefaultAnnounce = 30 * time.Second

	minStale = 3 * time.Second // three heartbeats

	maxText = 256 // bytes of an issuer or value: package token accepts no longer ones
	maxNote = 64  // bytes, as in session.Ban
	maxName = 64  // bytes of a publisher's name
)

const (
	// maxQueue bounds Enqueue: a minute of a thousand players a second.
	maxQueue = 1 << 16

	// maxBatch is how many records are signed before the first of them is published.
	maxBatch = 32 * MaxRecords

	// linger is how long Enqueue's records wait for others: a tick at 50 Hz.
	linger = 20 * time.Millisecond

	// liveRepeats is with how many heartbeats a segment is sent again, for those who were just
	// reconnecting, and maxRepeat bounds the bytes of one heartbeat's repetitions.
	liveRepeats = 3
	maxRepeat   = 512 << 10

	// publishTimeout bounds a live message, and loadTimeout what a publisher asks for at its start.
	publishTimeout = time.Second
	loadTimeout    = 2 * time.Second

	// minBeat is between two heads, however often subscribers ask.
	minBeat = 100 * time.Millisecond

	// maxAsked bounds the challenges that wait; those beyond ask again.
	maxAsked = 1024

	// settle is how old a segment is before it is merged with its neighbours, so that live
	// repetitions are those that were sent first.
	settle = 10 * time.Second

	// compactEvery is how often segments are merged and what has expired is forgotten.
	compactEvery = 10 * time.Second

	// slack is how many bytes a store's file may have beyond twice of what it needs.
	slack = 1 << 20

	// announceAll is in which announcement everything is stored again, whatever the carrier says it has:
	// a server of it may have lost what another one has.
	announceAll = 10

	// clockMargin is how long a record is kept beyond its Until, for clocks that differ.
	clockMargin = 5 * time.Minute

	// maxSpans bounds the pieces of a publisher's records that are in force beyond a gap.
	maxSpans = 64

	// maxTrusted bounds publishers, maxListed the bans and the lifts that a subscriber compares; see shares.
	maxTrusted = 1024
	maxListed  = 1 << 18

	// maxOrphans bounds the segments that are remembered though their publisher has lost them.
	maxOrphans = 1024

	// clockApart is a difference of clocks that is worth a warning.
	clockApart = 30 * time.Second

	// grace is how long a gap waits for messages that were overtaken.
	grace = 150 * time.Millisecond

	// firstAnswer is how long the first reading of what is stored waits for an answer to the first
	// challenge, with which clocks are compared.
	firstAnswer = 500 * time.Millisecond

	// firstRead is how long stored bans wait at most until the lifts that are stored have been read, too: longer
	// than that takes, and short of what makes a publisher stale.
	firstRead = 5 * time.Second

	// askAgain is how old an answer may be, so that clocks which run at different speeds do not
	// matter: in a minute they part by 30 ms at most.
	askAgain = time.Minute

	// maxAsking is how many of our challenges may be answered late: two minutes of them.
	maxAsking = 64

	// maxShift bounds the difference of clocks that is taken into account, and minShift is a difference
	// that clocks and the way of a message may have.
	maxShift, minShift = 10 * time.Minute, time.Second

	// quiet is how often the same is logged and audited.
	quiet = time.Minute

	// refill is how often a sink that was full is tried again, at first.
	refill = time.Minute

	// tickEvery is how often a subscriber looks at what time brings.
	tickEvery = 50 * time.Millisecond

	// hangTime is how long after a tick the next one shows that this process, or its machine, has stood still.
	hangTime = time.Second

	// maxInbox bounds the bytes, and maxInboxMessages the number, of live messages that wait.
	maxInbox         = 64 << 20
	maxInboxMessages = 8192

	// loadLimit bounds one reading of the stored state.
	loadLimit = time.Minute

	// minRetry and maxRetry bound the wait after the carrier has failed.
	minRetry, maxRetry = 100 * time.Millisecond, 2 * time.Second
)
