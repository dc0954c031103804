package policy

import "time"

const (
	// DefaultSourceRate is how many handshakes a second a source prefix may begin: WireGuard's 20
	// for one address.
	DefaultSourceRate = 20

	// DefaultSourceBurst is how many it may begin at once. WireGuard allows 5; here all players
	// behind one NAT return within a second when a server restarts, so it is a LAN party: 40
	// players.
	DefaultSourceBurst = 40

	// DefaultUnproven is how many handshakes of a source prefix may be in progress that have not
	// returned their cookie. A cookie is back within a round trip, so 8 allow 40 new clients a
	// second at 200 ms.
	DefaultUnproven = 8

	// maxUnproven bounds Unproven, so that no tier overflows.
	maxUnproven = 1 << 24

	// DefaultMaxSources bounds the prefixes remembered, at 25 bytes each: 1.6 MB for a whole
	// server. A flood from more of them than that within a window (2 s) gains fresh bursts, and
	// meets the handshake budget of the whole server.
	DefaultMaxSources = 65536

	// ways is how many places a key may take. While a quarter of the table is in use, one new
	// prefix in a thousand displaces another that is.
	ways = 8

	// An IPv6 site is often given a /56, and a provider's customer or a rented server a /48: 65,536
	// /64s, each of which would have budgets of its own. So a /56 and a /48 have budgets, too, each
	// tierFactor times that of the one below: a household of 4 subnets with a LAN party in each
	// fits in a /56, and 4 such households of one provider in a /48, since other providers give
	// each household a /48. By default a /56 begins 80 handshakes a second, 160 at once, 32 of them
	// without a cookie; a /48 begins 320, 640 and 128, an eighth of what a server negotiates at
	// once.
	tierFactor = 4
	maxTiers   = len(sourceTiers6)

	// LatelyLive is how long an address keeps its own budget after a session has left it: a player
	// whose network fails tries again for some minutes, and by then a household's address may have
	// changed.
	LatelyLive = 10 * time.Minute

	// LiveInterval is how often a caller notes the address of a live session: often enough that an
	// address is forgotten a minute late at most, and seldom enough to cost a crowd nothing.
	LiveInterval = time.Minute

	// ownPerSecond and ownUnproven are the budget of such an address. A client's attempts are 1.5 s
	// apart, and the players of one household, who lose their path together, come back one by one.
	ownPerSecond = 1
	ownUnproven  = 1

	// The table of live addresses has livePlaces places for liveSessions sessions, at 25 bytes
	// each: it also has room for players who left in the last minutes.
	livePlaces, liveSessions = 3, 2

	// maxLive bounds the sessions that it is made for: 38 MB.
	maxLive = 1 << 20

	// DefaultStepUpTime is how long a player has to show a fresh identity token: a round trip to
	// the identity provider, a few retransmissions, and a mobile network that is still waking up.
	DefaultStepUpTime = 10 * time.Second

	// DefaultDatagrams is how many datagrams a second a session may send in the long run: twice the
	// fastest tick in use (128 Hz).
	DefaultDatagrams = 256

	// DefaultDatagramBurst is how many may come at once: four seconds at 128 Hz, since a stalled
	// path delivers in clumps.
	DefaultDatagramBurst = 512

	// DefaultBytes is how much payload a second a session may send in the long run: 1,145 bytes in
	// each of 128 datagrams are 143 KiB.
	DefaultBytes = 256 << 10

	// DefaultByteBurst is how much may come at once: three and a half seconds of those.
	DefaultByteBurst = 512 << 10

	// A player who changes state 128 times a second over a path that stalls for 2 s delivers at
	// most 128 · (2 s + 1 s) = 384 changes in any second. The usual 60 a second make 180. A bot's
	// 800 to 2,000 a second stand out.

	// DefaultFlag is recorded: more than a clump at 60 Hz, and than two seconds at 128 Hz.
	DefaultFlag = 256

	// DefaultLimit drops: more than any clump at 128 Hz.
	DefaultLimit = 400

	// DefaultRevoke ends the session: a fifth more than such a clump, and nearly twice
	// DefaultDatagrams. Datagrams that the path has delayed for longer than 2 s raise it
	// (credit.go). A bot is out within 0.61 s at 800 changes a second, and within 0.25 s at 2,000.
	DefaultRevoke = 480

	// maxSilence is how long a path may delay what is sent at the stated rate: longer than any path
	// does that recovers at all. That is 2,560 state changes, or what a player at 128 Hz sends in
	// 20 s.
	maxSilence = 10 * time.Second

	// unit is how many units a state change has where rates and credit are kept: it is usualFall
	// that needs them.
	unit = 1 << usualFall

	// usualFall and creditFall are decay rates, as powers of two. The usual rate falls towards that
	// of the last Window by 1/8192 of the difference in each slot; credit beyond what the usual
	// rate explains falls by 1/256. The rate is halved in 6 minutes, which is longer than a bad
	// path lasts; the credit in 11 s, in which a path delivers what it has delayed.
	usualFall, creditFall = 13, 8

	// DefaultWindow is the time over which state changes are counted.
	DefaultWindow = time.Second

	// minWindow keeps a slot at 1 ms; maxWindow is where a rate is no behaviour any more.
	minWindow, maxWindow = slots * time.Millisecond, time.Minute

	// slots is how many parts of a window are counted apart: 64 bytes a session, and a count that
	// is 1/16 of a window short at most.
	slots = 16

	// maxChanges bounds thresholds, and one more than it bounds a slot, so that sixteen slots stay
	// below 2^29.
	maxChanges = 1 << 24

	// maxPayload is the longest UDP datagram in bytes.
	maxPayload = 65535
)
