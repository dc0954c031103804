package signals

import (
	"time"

	"github.com/sallyport/sallyport/token"
)

const (
	// maxBody is the longest push in bytes. A SET has at most 32 KiB.
	maxBody = 32<<10 + 1<<10

	// maxAnswer is the longest answer to a poll in bytes.
	maxAnswer = 4 << 20

	// DefaultWindow is how many SETs are remembered by their jti.
	DefaultWindow = 65_536

	// DefaultRate and DefaultBurst are how many SETs a second are accepted from one transmitter in the
	// long run, and how many at once.
	DefaultRate  = 100
	DefaultBurst = 2_000

	// DefaultAtOnce is how many SETs are verified at once.
	DefaultAtOnce = 16

	// waitTurn is how long a push waits until it is verified.
	waitTurn = 2 * time.Second

	// oldest is the age beyond which a token has expired whatever its issuer: an event of that age
	// has nobody to put out. Ten minutes more for leeways and clocks.
	oldest = token.LongestLife + 10*time.Minute

	// maxText is the longest issuer, subject or session in bytes, as in revocation.Record.
	maxText = 256

	// maxAliases is how many identifiers a subject of format aliases has at most.
	maxAliases = 16

	// stateLife is how long a verification may take that was asked for.
	stateLife = time.Hour

	// DefaultEvents is how many SETs a poll asks for at most.
	DefaultEvents = 100

	// DefaultInterval is the time between two polls that have brought nothing, or nothing that could be
	// taken, where the transmitter answers at once.
	DefaultInterval = time.Second

	// maxBackoff bounds the wait after polls that fail.
	maxBackoff = time.Minute

	// pollTime ends a poll: the transmitter may wait for an event until then.
	pollTime = 90 * time.Second

	// logEvery is the time between two lines about refusals.
	logEvery = 10 * time.Second
)
