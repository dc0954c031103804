package natscarrier

import "time"

const (
	// reconnectWait and reconnectJitter are the wait before the servers are tried again, once each of
	// them has been tried: at most 250 ms in all.
	reconnectWait   = 100 * time.Millisecond
	reconnectJitter = 100 * time.Millisecond

	// dialTime is how long a server may take to accept a connection, TLS included: it bounds how long
	// a server that is gone silently keeps a carrier from the next one.
	dialTime = time.Second

	// pingInterval and pingsOutstanding bound how long a connection is believed on which nothing comes
	// any more: 3 s.
	pingInterval     = time.Second
	pingsOutstanding = 2

	// pageMessages and pageBytes bound what one request for the stored state brings: what the server
	// queues for this connection must stay far below its max_pending, 64 MB.
	pageMessages = 1024
	pageBytes    = 8 << 20

	// loadBytes bounds what Load holds: two and a half million records.
	loadBytes = 256 << 20

	// answerTime is how long a server may take to answer when it answers at all, and firstTime how
	// long until the first message of a page: it takes milliseconds, and is asked for pageTries times
	// more.
	answerTime = 2 * time.Second
	firstTime  = 500 * time.Millisecond
	pageTries  = 3
)

const (
	// defaultQueue is how many messages that have come wait by default: ten seconds of what a fleet
	// of 400 processes publishes. queueBytes bounds them, whatever their number.
	defaultQueue = 4096
	queueBytes   = 64 << 20

	// defaultKeep is far longer than any identity token lives.
	defaultKeep = 30 * 24 * time.Hour

	// defaultMaxBytes is a quarter of the store that deploy/ gives JetStream. The smallest holds four
	// messages of the largest kind.
	defaultMaxBytes = 1 << 30
	minMaxBytes     = 1 << 20

	// graveTime is how long the mark of a removed segment stays.
	graveTime = time.Minute

	// makeAgain is how long after a failure the stream is tried to be made again.
	makeAgain = time.Second

	// maxReplicas is JetStream's own limit.
	maxReplicas = 5

	// maxToken is how long a name in a subject may be, in bytes.
	maxToken = 64
)
