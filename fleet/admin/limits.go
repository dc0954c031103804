package admin

import "time"

const (
	// maxBody is the longest body of a request in bytes: an issuer, a subject and a note, escaped,
	// fit.
	maxBody = 4096

	// maxName is the longest issuer, subject, id, build or scope in bytes: far longer than any of a
	// token that is accepted.
	maxName = 1024

	// maxDetail is how many bytes of a kick's detail a player is sent; see transport.Player.Kick.
	maxDetail = 64

	// defaultPage and maxPage are how many sessions or bans an answer has, so that making one never
	// holds up a tick.
	defaultPage, maxPage = 100, 1000

	// maxBans is how many bans are looked through at most: far more than a server keeps by default.
	maxBans = 1 << 20

	// visitTime is how long a request waits for a turn of the server: far longer than any tick.
	visitTime = 900 * time.Millisecond

	// defaultPeerPerSecond is how many requests a second one service may make in the long run, and
	// defaultPerSecond how many all services together: 20 services that ask as fast as they may.
	defaultPeerPerSecond, defaultPerSecond = 20, 400

	// ownPerSecond is how many requests a second a service may make however many the others make: enough
	// for an operator to ban somebody while a fleet of programs asks for figures.
	ownPerSecond = 2

	// burstSeconds is how many seconds of requests may come at once.
	burstSeconds = 2

	// linesPerSecond is how many lines a second the log has about calls that are refused, linesBurst
	// how many at once: as many as a person can follow. The audit has all of them.
	linesPerSecond, linesBurst = 1, 10

	// maxPeers is how many services are counted one by one: more than there are in a fleet. Those
	// beyond share one rate.
	maxPeers = 1024

	// maxDrain is the longest that a drain may wait for players to leave: longer than any match.
	maxDrain = 24 * time.Hour

	// defaultShutdown is how long Shutdown may take; the players' goodbyes take 1 s at most.
	defaultShutdown = 5 * time.Second

	// tellTime is how long a server that closes, and had players when the drain began, waits at most until
	// whoever follows the drain has asked again: longer than a request is on its way.
	tellTime = time.Second

	// maxWait is the longest that GET /v1/drain waits for a change: less than an answer may take.
	maxWait = 5 * time.Second
)
