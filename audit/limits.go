package audit

import "time"

const (
	// defaultQueue is how many events wait for the writer: 41 s of a writer that hangs, at
	// defaultPerSecond.
	defaultQueue = 4096

	// defaultPerSecond is how many lines are written in one second of the clock, without a burst
	// beyond it, besides those that have a share of their own: a flood buys 9 million lines a day
	// and not more. A server that admits more than 50 players a second wants a higher one.
	defaultPerSecond = 100

	// logPerSecond is how many lines a Log writes in one second of the clock: as many as a person
	// can follow. logQueue is how many wait for a logger that hangs.
	logPerSecond = 20
	logQueue     = 256

	// revokeBurst is how many revocations may be written at once, whatever else is written: every
	// session of a server with 10,000, revoked in one second. Bans, their lifting and withdrawals of
	// trust are among them. serverBurst is the same for alarms,
	// floods and key changes. The queue has as much room reserved for them.
	revokeBurst = 1 << 14
	serverBurst = 1 << 8

	// playerBurst is how many lines about one player's sessions may be written at once, other than
	// revocations, and playerInterval how soon another one: a minute of a train ride with a change
	// of network, a step up, a renewal and a resumption each ten seconds.
	playerBurst    = 20
	playerInterval = 2 * time.Second

	// playerCells is the length of each of the two rows of cells that count the lines of players:
	// 128 KB.
	playerCells = 1 << 13

	// defaultEvery is how often the head of a chain is signed: 1,440 lines a day, 1 MB.
	defaultEvery = time.Minute

	// maxText is the longest text of a line in bytes, before JSON escapes it.
	maxText = 128

	// minKey is the shortest pseudonym key in bytes.
	minKey = 16

	// MaxRecent is the most lines that a Recent keeps: 4 MB of usual ones, 24 MB of the longest.
	MaxRecent = 4096

	// ocsfVersion is the schema version of the lines, and productName the product that reports
	// them.
	ocsfVersion = "1.8.0"
	productName = "Sallyport"

	// pseudonymLen is the length of a pseudonym in bytes: 128 bits do not collide among all players
	// there will be.
	pseudonymLen = 16

	// maxBits4 and maxBits6 are the longest prefixes of a line: they identify a network and not a
	// player.
	maxBits4, maxBits6 = 24, 56
)
