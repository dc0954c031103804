package dtls

import "time"

// Limits. Each says its unit and its reason.
const (
	// MaxDatagram is the largest datagram of records that is looked at, in bytes. Handshakes may
	// be as long as udp.MaxLen.
	MaxDatagram = 1200

	// maxForwarded is how many datagrams wait that the kernel gave to another
	// shard.
	maxForwarded = 256

	// pathTime is how long one new address of a player keeps others from being
	// looked at: maxChallenges and a slow answer fit, and who has gone on to a
	// third network does not wait long.
	pathTime = time.Second

	// MoveBurst is how often a player's connection moves at once, and moveInterval how
	// soon again after that: walking through a house it moves a few times, and only a
	// client that means to do so moves each second.
	MoveBurst    = 4
	MoveInterval = 2 * time.Second

	// MaxChallenges is how often a new address is challenged ChallengeInterval apart: on a lossy
	// path two are lost now and then. After that it is challenged each pathTime, as long as the
	// player sends from there.
	MaxChallenges     = 3
	ChallengeInterval = 200 * time.Millisecond

	// maxPerTurn bounds what one Poll handles, so that a flood cannot hold a
	// tick: 10,000 players at one datagram a tick fit, with room.
	maxPerTurn = 16384

	// maxGreetings is how many datagrams that begin a handshake wait at most while as many are handled,
	// and maxGreetingBytes how many bytes: when thousands come back at once, each has some hundred bytes.
	// maxHellos and maxHelloBytes are how many of them may be without a proof of their sender's address.
	maxGreetings     = 2048
	maxGreetingBytes = 512 << 10
	maxHellos        = maxGreetings * 3 / 4
	maxHelloBytes    = maxGreetingBytes * 3 / 4

	// greetAtOnce is how many of them are handled before peers are looked at again: some 50 µs, of which
	// most is the system's, for the answers. After a long turn it is one for each greetShare datagrams, so
	// that peers who are always busy keep nobody out.
	greetAtOnce = 8
	greetShare  = 32

	// MaxBacklog is how many datagrams wait for a handshake whose engine has
	// finished but whose keys are not here yet: a few hundred microseconds.
	MaxBacklog = 16

	// openingSilence is how long a handshake whose address is proven keeps a new one
	// from the same address waiting after it has come to nothing: as long as a client
	// waits before it begins anew.
	HalfOpenSilence = 1500 * time.Millisecond

	// unprovenShare is the part of MaxHandshakes that strangers may hold who have proven nothing,
	// and that those may hold of whom live peers' addresses have their own and who have not proven to
	// be there; minUnproven at least. What is beyond is asked for a proof, which costs nothing here:
	// the share is for clients that do not know how to answer. Live peers' addresses, whose handshakes
	// end for no stranger's, have one in mostUnproven at most: a small server has room besides.
	// StrangerTime is how long a stranger keeps its place from another: a round trip by satellite.
	unprovenShare = 16
	minUnproven   = 8
	mostUnproven  = 4
	StrangerTime  = time.Second

	// maxShed is the most of a flood of ClientHellos that sockets shed: they keep one in 2^maxShed.
	// shedCalm is for how many looks, one in a SweepInterval, nothing may overflow until they keep
	// twice as many again: a flood that goes on does not fill the buffers each second then.
	maxShed  = 5
	shedCalm = 5

	// askInterval is how soon a shard without a handshake of its own asks another
	// one again to let one go: sooner than a client repeats its ClientHello.
	askInterval = 10 * time.Millisecond

	// fewHandshakes is by how many a shard may hold more than twice those of another one by chance.
	fewHandshakes = 16

	// roomTime is how long a place that another shard has let go waits for the newcomer who asked for
	// it: a client repeats its ClientHello after a second.
	roomTime = 2 * time.Second

	// noteTime is how long a shard notes its players' addresses, once in a
	// sources.LiveInterval: each of them is looked at twice in it.
	noteTime = 2 * SweepInterval

	// resendInterval and resendTime bound the answer to a repeat of the peer's
	// last flight: RFC 6347 4.2.4 asks for twice the longest segment lifetime.
	resendInterval = 100 * time.Millisecond
	resendTime     = 4 * time.Minute

	// SweepInterval is how often a connection's time limits are looked at.
	SweepInterval = time.Second

	// StallTime is from when on the gap between two turns is a stall of the server's
	// own: no game ticks more slowly. stallPatience is for how long after it no time
	// limit is looked at: a client repeats what it waits for every 2 s, and a round
	// trip of 1 s fits. stallPause is how soon again: one who stalls all the time still
	// has time limits.
	StallTime     = time.Second
	StallPatience = 3 * time.Second
	StallPause    = 10 * time.Second

	// clockStep and clockSlew are by how much the system's clock may differ from what
	// has elapsed without having been stepped: it is read a moment later, and is slewed
	// by a twelfth at most (chrony's maxslewrate).
	clockStep = 50 * time.Millisecond
	clockSlew = 8
)
