package token

import "time"

// MaxLen is the longest identity token in bytes that HELLO carries, and the longest that an Issuer
// mints: about four times a Cognito token. A player with a longer one signs in by HTTP: a service
// of the game verifies it there, and mints a short one for the match server.
const MaxLen = 4096

// maxVerified is the longest token in bytes that is looked at: by HTTP, players of Amazon Cognito
// come with 100 groups and claims of their game's own.
const maxVerified = 32 << 10

const (
	// DefaultLife is the longest life accepted, and the life minted, by default.
	DefaultLife = 15 * time.Minute

	// DefaultCognitoLife is the longest life accepted of a user pool's tokens by default: that
	// of a new app client. Cognito cannot make it shorter than 5 minutes.
	DefaultCognitoLife = time.Hour

	// LongestLife is the most a profile may accept: a stolen token must die within the day.
	LongestLife = 24 * time.Hour

	// defaultLeeway is how far the issuer's clock may differ where a profile says nothing: hosts
	// that keep time by NTP agree far better.
	defaultLeeway = 5 * time.Second

	// MaxLeeway is the most a profile may ask for; beyond it a clock is broken, not late.
	MaxLeeway = 30 * time.Second
)

const (
	maxDepth   = 8    // nested objects and arrays in JSON; the deepest token seen in practice has 3
	maxMembers = 256  // names in any one object: 50 attributes of the pool's own, and what its functions add
	maxKeyID   = 256  // bytes of kid; two SHA-256 in hexadecimal and an algorithm's name fit
	maxText    = 128  // bytes of sub, jti, platform, build: as in HELLO
	maxName    = 256  // bytes of an issuer or audience, often a URL
	maxNick    = 512  // bytes of a user name or a group: 128 characters in Amazon Cognito
	maxGroups  = 100  // groups of one player: as many as Amazon Cognito allows
	maxKeep    = 16   // claims that a profile keeps
	maxListed  = 32   // texts in a list that is kept
	maxCustom  = 1024 // bytes of text in all that is kept of one token: a session may hold it

	// maxDate is the last second of the year 9999: any NumericDate up to it converts exactly to
	// int64.
	maxDate = 253402300799

	minSecret  = 32   // bytes of an HS256 key (RFC 7518 3.2: as long as the hash)
	minRSABits = 2048 // RFC 7518 3.3
	maxRSABits = 4096 // a larger key only makes verification slow

	maxKeySetLen = 64 << 10 // bytes of a PEM file or JWK set
	maxKeys      = 64       // names of keys of one issuer; providers publish two or three
	maxOneName   = 8        // keys of one name: a signature is tried under each

	// The verified-token cache has cacheSets sets of cacheWays tokens: at most 16 MiB of token
	// bytes. With 1000 players the chance that one of them finds its set full is below 1 in 1000;
	// it then costs a signature.
	cacheSets = 512
	cacheWays = 8
)

// Defaults of a RemoteConfig.
const (
	// defaultMinRefresh is the shortest time between two background fetches, whatever Cache-Control
	// says: a provider that forbids caching still has few keys and rarely new ones.
	defaultMinRefresh = 5 * time.Minute

	// defaultMaxRefresh is the longest time between two background fetches, and so how long a
	// withdrawn key is still trusted.
	defaultMaxRefresh = time.Hour

	// DefaultMaxAge is how long keys are trusted while the provider cannot be reached: players keep
	// signing in through an outage, and an attacker who hides the withdrawal of a key gains a day
	// at most.
	DefaultMaxAge = 24 * time.Hour

	// DefaultFetchTimeout ends a fetch: a player waits for it.
	DefaultFetchTimeout = 5 * time.Second

	// DefaultUnknownEvery and DefaultUnknownBurst are the budget of fetches for unknown keys: one
	// in 10 s in the long run, 3 at once. Strangers can exhaust it, so it is small; two rotations
	// in a row still fit.
	DefaultUnknownEvery = 10 * time.Second
	DefaultUnknownBurst = 3
)

const (
	minBackoff   = time.Second      // after a failed fetch, doubled with each further one
	maxBackoff   = time.Minute      // so that the end of an outage is noticed in time
	absentLife   = 30 * time.Second // of the knowledge that there is no such key: publication may lag behind the first use
	maxAbsent    = 512              // names in a generation of such knowledge, of which there are two
	maxRedirects = 3                // of one fetch, all on the same host
	maxHeaderLen = 64 << 10         // bytes of the header fields of an answer
)
