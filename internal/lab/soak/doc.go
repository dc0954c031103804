// Package soak lets many players at one match server and judges whether it kept its promises.
//
//	dial        each player on a UDP socket of its own, at most 8 at once
//	play        once all have been answered: each sends Rate inputs a second for Duration; a share Churn of them leaves
//	            each second and joins again
//	turn        in the middle of play, if Config says so: all change their sockets, lose their paths for a while, or have
//	            the server replaced by another process
//	drain       who leaves stops sending first, and waits up to 2 s until the snapshots acknowledge everything
//	judge       Report
//
// # Lanes
//
// Players have the arena's lanes, but in bearer mode and above 150 inputs a second, whose datagrams
// leave a session's rate too little. Each lane is held to what its mode promises, whatever happens
// to the network, the player's address or the server's process:
//
//	news      one after the other, none missing, none twice; some in each second
//	views     each what the server saw (a checksum over what the deltas add up to), none older than the one before
//	pickups   each comes back exactly once, and has exactly one receipt, which says that it has arrived
//	scores    under each rank only ever a newer value
//	sparks    none twice
//	level     whole, and once
//
// Of views and sparks at least half must come, less the loss, unless a slow line or a blackout
// makes them too old to be worth sending. On a line below 512 kbit/s, which inputs and snapshots
// may fill, what must arrive need not have arrived when the player leaves.
//
// # What is counted
//
//	sent        inputs handed to the network by all players
//	delivered   the same as the server counts them: the number in the last snapshot of each stay
//	dropped     inputs that the impairment of the player's own socket took on their way out
//	lost        sent - delivered - dropped of each stay: must be 0, and no stay may have more delivered than sent
//	missed      what may be lost by a turn, and was: on its way out of the old socket, and one more input; or sent after
//	            the newest input that the old process has acknowledged, and before the first snapshot of the next one
//	pause       from the turn to the first snapshot from behind it
//	rtt         from the sending of an input to the first snapshot that acknowledges it, so the wait for the server's
//	            next tick is part of it; inputs that a newer one overtook within a tick are not measured, nor are those
//	            that waited for the end of a turn
package soak
