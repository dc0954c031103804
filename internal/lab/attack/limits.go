package attack

import "time"

const (
	// dialTime bounds one attempt to join: the server gives up on a handshake after 5 s.
	dialTime = 10 * time.Second

	// joinTime is how long the honest players may take to join.
	joinTime = 20 * time.Second

	// waitTime is how long a busy server may take to count what has been sent, pollTime how often it is asked.
	waitTime = 5 * time.Second
	pollTime = 20 * time.Millisecond

	// settleTicks is how many ticks later everything that was sent has been delivered, or has not been.
	settleTicks = 3

	// copies is how many datagrams are captured, and sent again.
	copies = 16

	// forgeries is how many datagrams are forged from outside, in clumps that a socket's buffer holds.
	forgeries, clump = 512, 64

	// badTags is how many wrong tags in a row end a session (PROTOCOL.md, 4.8).
	badTags = 8

	// revokeTime is within how long a bot must be out that keeps its rate, floodTime how long it goes on if it is not.
	revokeTime = 1500 * time.Millisecond
	floodTime  = 3 * time.Second

	// crowdTokens is how many identity tokens one account shows, crowdRate how many inputs a second each of its sessions
	// sends, which one may, for crowdTime. Of what is too much, one in crowdLeeway must be dropped: a little more may
	// come at once, and on a busy machine the socket drops some first.
	crowdTokens = 100
	crowdRate   = 380
	crowdTime   = 2 * time.Second
	crowdLeeway = 4

	// laneCredit is how many levels the arena's lane for them lets either end begin: four messages
	// of the longest (transport.Lane.Credit). neverSent is a sequence that the server does not come
	// to. halves is how many messages are left unfinished on each lane, below their credit of 64
	// KiB, and halvesRate how many of them a second, in three datagrams each: a session may send
	// 256.
	laneCredit = 4
	neverSent  = 1 << 30
	halves     = 100
	halvesRate = 50

	// A stalled path of a game at fastTick inputs a second holds back stallTime and then delivers stallTime's inputs
	// at once.
	fastTick  = 128
	stallTime = 2 * time.Second

	// hangTime is how long the server is made to hang, and aroundHang how long everybody plays before and after.
	hangTime   = 10 * time.Second
	aroundHang = 2 * time.Second

	// hangPlayers is how many play at fastTick while it hangs: with the honest ones, what a socket's buffer holds.
	hangPlayers = 3
)
