package session

import (
	"time"

	"github.com/sallyport/sallyport/replay"
)

// Defaults. Each says its unit and its reason.
const (
	// DefaultMaxSessions is how many live sessions a server admits at once: what two cores hold at
	// 10 datagrams a second each.
	DefaultMaxSessions = 10_000

	// DefaultMaxPerSubject is how many sessions of one player may be live at once: two devices.
	DefaultMaxPerSubject = 2

	// defaultWindow is the replay window in datagrams: 8 s at 128 Hz.
	defaultWindow = replay.DefaultSize

	// defaultOverlap is how long the previous epoch stays good after the first datagram of the new
	// one: longer than any datagram is on its way.
	defaultOverlap = 5 * time.Second

	// DefaultIdle ends a session from which nothing was accepted for so long.
	DefaultIdle = 30 * time.Second

	// defaultMaxRevocations is how many revocations a server remembers, at about 100 bytes each:
	// every account of a large fleet's worst day.
	defaultMaxRevocations = 1 << 16

	// defaultMaxBans is how many bans a server remembers, at about 100 bytes each.
	defaultMaxBans = 1 << 16

	// defaultBadTags revokes a session after so many wrong tags in a row. Only the peer itself can
	// send one, since the record has authenticated.
	defaultBadTags = 8

	// defaultProbe is how long the server may be silent while payloads flow, before the client asks
	// whether it is there: fifteen snapshots at 60 Hz.
	defaultProbe = 250 * time.Millisecond

	// defaultKeepAlive is the longest time between two PINGs of a client's: it must stay well below
	// DefaultIdle and below the 30 s after which many address translators forget a UDP mapping.
	defaultKeepAlive = 5 * time.Second
)
