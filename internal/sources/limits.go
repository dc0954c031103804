package sources

import "time"

const (
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

	// crowdBurst is how many strangers may at least begin at once, of all sources together: in a small
	// server, too, a few dozen cost nothing.
	crowdBurst = 64

	// sessionPerSecond, sessionBurst and sessionUnproven are the budget of a session whose ticket has
	// been shown: a client's attempts are 1.5 s apart, and go to two addresses of a server in turn.
	sessionPerSecond = 1
	sessionBurst     = 3
	sessionUnproven  = 2

	// The table of live addresses has livePlaces places for liveSessions sessions, at 25 bytes
	// each: it also has room for players who left in the last minutes.
	livePlaces, liveSessions = 3, 2

	// maxLive bounds the sessions that it is made for: 38 MB.
	maxLive = 1 << 20
)
