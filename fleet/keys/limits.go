package keys

import "time"

const (
	// DefaultLife is the longest life of a ticket: the longest of an identity token.
	DefaultLife = 24 * time.Hour

	// lifeMargin is added to it, for sessions that outlive their token, clocks of servers that are a
	// minute apart, and instances that have just been replaced.
	lifeMargin = 5 * time.Minute

	// DefaultLease is how long an instance seals without the Keeper. It is longer than a broker is
	// usually away, and the most by which a server that has died holds up a rotation.
	DefaultLease = time.Hour

	// minLease leaves time for some announcements to be lost.
	minLease = 3 * DefaultAnnounce

	// DefaultAnnounce is the time between two announcements of an instance that has nothing new.
	DefaultAnnounce = 10 * time.Second

	// announceSoon is the time between two announcements of an instance that waits for a grant.
	announceSoon = 250 * time.Millisecond

	// Skew is how far the clocks of Keeper and Holder may differ.
	Skew = 2 * time.Minute

	// DefaultRotateEvery is the time between two rotations. A key may seal 2^32 tickets: with 10,000
	// players whose tokens live for 5 minutes that takes four years.
	DefaultRotateEvery = 7 * 24 * time.Hour

	// maxEpoch is the highest epoch of a ring: Unix milliseconds of times beyond all. An epoch that an
	// emergency begins is higher than any that a server claims to have, so there must be one.
	maxEpoch = 1 << 62

	// maxFleetName is the longest name of a fleet in bytes.
	maxFleetName = 128

	// maxKeys is how many keys a ring has: one seals, one is next, the others wait to be dropped. A
	// fleetkey.Ring has 8, and a Holder two of its own.
	maxKeys = 6

	// DefaultMaxInstances is how many instances a Keeper serves.
	DefaultMaxInstances = 4096

	// maxMessage is the longest message in bytes: a chain of a few certificates and a ring.
	maxMessage = 32 << 10

	// maxChain is the most certificates in a chain.
	maxChain = 8

	// remembered is how many announcements an instance remembers the time of. A grant that answers an
	// older one brings no lease.
	remembered = 64

	// tickEvery is how often time alone may change something.
	tickEvery = 250 * time.Millisecond

	// logEvery is the time between two lines of the log about refused messages.
	logEvery = 10 * time.Second
)
