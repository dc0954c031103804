package session

import (
	"time"

	"github.com/sallyport/sallyport/replay"
)

// Defaults. Each states its unit and its reason.
const (
	// DefaultMaxSessions is how many live sessions a server admits at once: as many as two cores
	// serve at 10 datagrams a second each.
	DefaultMaxSessions = 10_000

	// DefaultMaxPerSubject is how many sessions of one player may be live at once: two devices.
	DefaultMaxPerSubject = 2

	// defaultWindow is the replay window in datagrams: 8 s at 128 Hz.
	defaultWindow = replay.DefaultSize

	// defaultOverlap is how long the previous epoch stays valid after the first datagram of the new
	// one: longer than any datagram is under way.
	defaultOverlap = 5 * time.Second

	// DefaultIdle is how long a session lives without an accepted datagram from its client.
	DefaultIdle = 30 * time.Second

	// defaultMaxRevocations is how many revocations a server keeps, at less than 100 bytes each: a
	// million accounts of a fleet on its worst day. Only an operator or a feed can add one.
	defaultMaxRevocations = 1 << 20

	// defaultMaxBans is how many bans a server keeps, at about 200 bytes each and those of the names.
	defaultMaxBans = 1 << 20

	// defaultBadTags is how many wrong tags in a row revoke a session. Only the client itself can
	// send one, because the record has been authenticated.
	defaultBadTags = 8

	// defaultProbe is how long the server may be silent while payloads flow before the client tests
	// the path: fifteen snapshots at 60 Hz.
	defaultProbe = 250 * time.Millisecond

	// defaultKeepAlive is the longest time between two PINGs of a client: well below DefaultIdle,
	// and below the 30 s after which many address translators drop a UDP mapping.
	defaultKeepAlive = 5 * time.Second
)
