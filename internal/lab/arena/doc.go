// Package arena is a small authoritative game over package transport: players move about in a square, and the server
// decides where they are.
//
//	client                                server, each tick
//	  Input: "my 17th, I steer east" ──▶  Poll: judge inputs, keep each player's newest direction
//	  pickup: "I have picked it up" ───▶        count it, and send it back
//	                                      move everybody, never faster than TopSpeed, never out of the square
//	  Snapshot ◀────────────────────────  Send to each player
//	  view, scores ◀────────────────────  SendMessage and SendLatest to each player
//	  news, sparks ◀────────────────────  BroadcastMessage, Flush
//
// A client states a direction and nothing else: no position, no speed, no elapsed time. So whatever it sends, and
// however often, it moves as everybody else does.
//
// # Input, client to server
//
//	offset size
//	     0    4  number, from 1, one more for each input
//	     4    8  the client's time, sent back as it is
//	    12    2  direction x, -32767 to 32767: share of TopSpeed
//	    14    2  direction y, likewise
//	    16    …  filler, ignored
//
// # Snapshot, server to client
//
//	offset size
//	     0    4  match: random and not 0, another number in each process
//	     4    4  tick, from 1
//	     8    2  ticks a second
//	    10    8  datagrams delivered from you since you joined
//	    18    4  number of your newest input, 0 before
//	    22    8  that input's time
//	    30    8  you:    number 4, x 2, y 2
//	    38    8  others: likewise, as many as fit; when there are more, each tick shows the next ones
//
// # Lanes
//
// Inputs and snapshots are payloads: the next one is there before a lost one could be repeated.
// What is longer than a datagram, or must arrive, goes on a lane (lanes.go); a player without lanes
// plays all the same, and its snapshots show the others. What comes from the server begins with the
// server's time in µs (8).
//
//	lane      mode        message
//	news      ordered     once a second: match 4, tick 4
//	view      sequenced   everybody, each third tick: tick 4, tick of the base 4, CRC-32 of all bodies 4, number of bodies 2;
//	                      and each body that is not at its place in the base: place 2, body 8
//	pickups   reliable    of the player: whatever it likes, which comes back as it is, and counts
//	scores    latest      by rank from 0, once a second: body 8, score 4; without bytes where nobody has the rank
//	sparks    unreliable  each seventh tick, where something happens: body 8
//	level     ordered     on joining, and behind all others: LevelLen bytes
//
// The base of a view is the newest one that is known to have arrived. The client still has it.
//
// A process that goes on with another one's players (transport.Config.Snapshot) is a new match to them: everybody has
// joined anew, all counts begin at 0, and by the match number clients see it.
//
// All integers are big-endian. Every delivered datagram is counted, whatever is in it; one that is too short, repeats
// or precedes the newest input, or states an impossible direction moves nobody.
package arena
