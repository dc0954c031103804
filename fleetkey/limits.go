package fleetkey

const (
	// maxKeys bounds a ring: the key that seals, the next one, and those whose
	// tickets have not expired yet.
	maxKeys = 8

	// maxFile is the longest key file in bytes: 8 lines, and comments.
	maxFile = 4096

	// maxSeals is how many tickets one key may seal, by all servers of the fleet
	// together: with random nonces of 96 bits, 2^32 of them repeat one with a
	// probability of 2^-33 (NIST SP 800-38D 8.3). A thousand servers that issue
	// 33 tickets a second come to 2^31.4 a day, so a fleet of that size has a new
	// key each day; one server alone would take four years.
	maxSeals = 1 << 32
)
