package fleetkey

const (
	// maxKeys bounds a ring: the sealing key, the next one, and those whose tickets have not
	// expired yet.
	maxKeys = 8

	// maxFile is the longest key file in bytes: 8 lines, and comments.
	maxFile = 4096

	// maxSeals is how many tickets one key may seal in all processes of the fleet together: with
	// random nonces of 96 bits, 2^32 of them collide with a probability of 2^-33 (NIST SP 800-38D
	// 8.3). A thousand servers that issue 33 tickets a second each issue 2^31.4 a day, so a fleet
	// of that size needs a new key every day; one server alone would take four years.
	maxSeals = 1 << 32
)
