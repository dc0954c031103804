package soak

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

const (
	// dialsAtOnce is how many clients of one /24 a server lets negotiate at once (PROTOCOL.md, "Limits").
	dialsAtOnce = 8

	// dialTime bounds one attempt to join: the server gives up on a handshake after 5 s, and where a tenth of all
	// flights is lost several of them do not arrive in time.
	dialTime = 20 * time.Second

	// shutdownTime is how long an embedded server has to tell its players that it ends.
	shutdownTime = 5 * time.Second

	// drainTime is how long a player who leaves waits for what is still on its way: what is repeated until it arrives
	// is repeated ever more rarely.
	drainTime = 8 * time.Second

	// narrow is a bandwidth below which inputs, snapshots and lanes together may take a line more
	// than it has: what must arrive on lanes goes on being sent, but may need longer than anybody
	// waits.
	narrow = 512_000

	// settleTime is how long a player behind an impaired socket waits on, for copies: a held datagram is 100 ms late.
	settleTime = 150 * time.Millisecond

	// migrations is how many players a second go on from another socket: half of the lines that a server's audit takes.
	migrations = 50

	// beforeTurn and afterTurn are how long at least players play before and after what happens in the middle: some
	// snapshots, and a path that takes its time.
	beforeTurn = time.Second
	afterTurn  = time.Second

	// replaceTime is how long it may take a busy machine to put one process in the place of another.
	replaceTime = time.Second

	// aroundBlackout is both for a blackout, after which a client that is slow to notice may be negotiating.
	aroundBlackout = 4 * time.Second

	// resumeTime is within how long after its path's return a player must have a snapshot, round trips aside.
	resumeTime = time.Second

	// stall is how long this process must not have been woken at once for the machine to have stopped it: far more than
	// what players in numbers cost each other.
	stall = 100 * time.Millisecond

	// ledgerLen is of how many inputs it is known how many the impairment had taken: 17 s at 60 Hz and 4 s at MaxRate,
	// longer than one process takes to follow another.
	ledgerLen = 1024

	// statsTime bounds one question to the status address, eventsTime is how long it has for the decisions that it keeps:
	// a megabyte on this machine.
	statsTime  = 5 * time.Second
	eventsTime = time.Second

	// shortText bounds an answer that ought to be short, in bytes.
	shortText = 1 << 16

	// fewest is the share of the expected snapshots that must have arrived: a socket that is not read in time drops
	// some, a server that forgets a player sends none.
	fewest = 0.5

	// pauseTime is how long a server on a busy machine may play no tick.
	pauseTime = time.Second

	// pickupEvery is how many inputs lie between two things that a player picks up. maxLaneRate is the
	// most inputs a second of players with lanes, whose datagrams count, too.
	pickupEvery = 10
	maxLaneRate = 150

	// sparksKept is of how many sparks it is known that they have come: those of two minutes.
	sparksKept = 1024

	// newsTime is how long news, of which there are some each second, or the level may take on a
	// busy machine.
	newsTime = 4 * time.Second

	// MaxRate is the most inputs a second: a session may send 256 datagrams (session.DefaultRate), PINGs included.
	MaxRate = 240

	// MaxPayload is the largest payload in bytes.
	MaxPayload = wire.MaxBody

	// MaxBearerPayload is the largest payload in bytes in bearer mode: a development token of 400 to 500 bytes fits
	// beside it.
	MaxBearerPayload = 512
)
