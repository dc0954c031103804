package session

import (
	"time"

	"github.com/sallyport/sallyport/replay"
)

// Defaults. Each says its unit and its reason.
const (
	// DefaultMaxSessions is how many live sessions a server admits at once: what
	// two cores hold at 10 datagrams a second each.
	DefaultMaxSessions = 10_000

	// DefaultMaxPerSubject is how many sessions of one player may be live at once: two devices.
	DefaultMaxPerSubject = 2

	// DefaultWindow is the replay window in datagrams: 8 s at 128 Hz.
	DefaultWindow = replay.DefaultSize

	// DefaultOverlap is how long the previous epoch stays good after the first
	// datagram of the new one: longer than any datagram is on its way.
	DefaultOverlap = 5 * time.Second

	// DefaultIdle ends a session from which nothing was accepted for so long.
	DefaultIdle = 30 * time.Second

	// DefaultMaxRevocations is how many revocations a server remembers, at about 100
	// bytes each: every account of a large fleet's worst day.
	DefaultMaxRevocations = 1 << 16

	// DefaultMaxBans is how many bans a server remembers, at about 100 bytes each.
	DefaultMaxBans = 1 << 16

	// DefaultBadTags revokes a session after so many wrong tags in a row. Only
	// the peer itself can send one, since the record has authenticated.
	DefaultBadTags = 8

	// DefaultProbe is how long the server may be silent while payloads flow, before
	// the client asks whether it is there: fifteen snapshots at 60 Hz.
	DefaultProbe = 250 * time.Millisecond

	// DefaultKeepAlive is the longest time between two PINGs of a client's: it
	// must stay well below DefaultIdle and below the 30 s after which many
	// address translators forget a UDP mapping.
	DefaultKeepAlive = 5 * time.Second
)
