package audit

const (
	// DefaultQueue is how many events wait for the writer: 41 s of a writer that hangs, at DefaultPerSecond.
	DefaultQueue = 4096

	// DefaultPerSecond is how many lines are written in one second of the clock, without a burst beyond it: a flood
	// buys 9 million lines a day and not more. A server that admits more than 50 players a second wants a higher one.
	DefaultPerSecond = 100

	// MaxText is the longest text of a line in bytes, before JSON escapes it.
	MaxText = 128

	// MinKey is the shortest pseudonym key in bytes.
	MinKey = 16

	// MaxRecent is the most lines that a Recent keeps: 4 MB of usual ones, 24 MB of the longest.
	MaxRecent = 4096

	// ocsfVersion is the schema that lines follow, and productName who reports them.
	ocsfVersion = "1.8.0"
	productName = "Sallyport"

	// pseudonymLen is the length of a pseudonym in bytes: 128 bits do not collide among all players there will be.
	pseudonymLen = 16

	// maxBits4 and maxBits6 are the longest prefixes of a line: they name a network and not a player.
	maxBits4, maxBits6 = 24, 56
)
