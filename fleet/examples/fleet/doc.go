// Fleet is a fleet on one machine: three match servers, each a process of its own, a NATS server
// between them, and players on each. One of them, mallory, plays on all three at once and is banned
// in the middle of the match.
//
//	cd fleet && go run ./examples/fleet
//
//	  operator ── ban, signed ──▶ NATS ──▶ match-1 ◀── UDP ── 16 players and mallory
//	                               │  └───▶ match-2 ◀── UDP ── 16 players and mallory
//	                               └──────▶ match-3 ◀── UDP ── 16 players and mallory
//
// A table shows each server as it plays. In the end stands how long after the ban each server
// delivered mallory's last datagram, whether mallory came back with a fresh token, whether a token
// that was used on one server opened a session on another, what became of everybody else while the
// NATS server was away, and a verdict: the exit status is 0 only if all is as it must be.
package main
