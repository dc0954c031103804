package policy

import "time"

const (
	// maxRate and maxBurst bound both numbers of a bucket, so that window = burst · 1 s / rate stays below 32 years
	// and no sum overflows before the year 2200.
	maxRate  = int(time.Second)
	maxBurst = 1_000_000_000

	// DefaultSourceRate is how many handshakes a second a source prefix may begin: WireGuard's 20 for one address.
	DefaultSourceRate = 20

	// DefaultSourceBurst is how many it may begin at once. WireGuard allows 5; here everybody behind one NAT returns
	// within a second when a server restarts, so it is a LAN party: 40 players.
	DefaultSourceBurst = 40

	// DefaultMaxSources bounds the prefixes remembered, at 24 bytes each: 1.5 MB. A flood from more of them than that
	// within a window (2 s) gains fresh bursts, and meets the handshake budget of the whole server.
	DefaultMaxSources = 65536

	// ways is how many places a prefix may take. While a quarter of the table is in use, one new prefix in a thousand
	// displaces another that is.
	ways = 8
)
