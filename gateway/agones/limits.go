package agones

import "time"

// Defaults and limits. Each states its unit and its reason.
const (
	// DefaultPort is the SDK server's port where Agones has named no other one.
	DefaultPort = "9358"

	// DefaultTimeout is how long a call may take: the SDK server is on the same machine.
	DefaultTimeout = 3 * time.Second

	// DefaultPeriod is how often Health is called where the GameServer does not say: Agones expects it
	// every 5 s by default.
	DefaultPeriod = 2 * time.Second

	// retryFirst and retryMost are how long to wait after a call has failed: twice as long each time, so
	// that an SDK server that starts with us is found soon, and a broken one is not pestered.
	retryFirst = 100 * time.Millisecond
	retryMost  = 30 * time.Second

	// startMost is the same as retryMost until the SDK server has answered once.
	startMost = 2 * time.Second

	// readyRepeat is how soon Ready is called again if the GameServer is not seen to be ready: the call
	// only queues the change, which may be lost.
	readyRepeat = 5 * time.Second

	// silence is how long the watch may say nothing before the GameServer is asked for: a watch that has
	// been cut without a word looks like a GameServer that does not change.
	silence = 30 * time.Second

	// publishEvery is how often players are published at most; the SDK server collects changes for a
	// second itself.
	publishEvery = time.Second

	// refreshEvery is how often a player who is not listed has the GameServer asked for, at most.
	refreshEvery = time.Second

	// maxAnswer is the longest answer, and the longest line of the watch, in bytes: etcd stores objects
	// of up to 1.5 MB.
	maxAnswer = 2 << 20

	// maxMessage is how much of the SDK server's words an error repeats, in bytes.
	maxMessage = 200

	// maxPlayers is how many players an annotation can list: all annotations of an object have 256 KiB
	// together, and an id has up to 36 bytes as a rule.
	maxPlayers = 5000

	// maxSubject and maxScope are the longest subject and scope, in bytes: no identity token has longer
	// ones.
	maxSubject = 256
	maxScope   = 128

	// maxWithin is the longest drain.
	maxWithin = 24 * time.Hour
)
