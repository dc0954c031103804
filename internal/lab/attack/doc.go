// Package attack does to a match server what a cheat would, and judges whether it held.
//
//	stolen-token       a player's identity token, or an envelope of its session, used by another client
//	replay             captured datagrams sent again: from the same address, from another, on a new connection
//	bot                800 and 2,000 inputs a second; and a player whose path stalled, who must live
//	crowd              one account with a hundred identity tokens: two sessions, and one rate for both
//	flip-fingerprint   HELLO and RENEW by a client that is not what its token or session is bound to
//	lanes              malformed frames, credit overrun, ids from the far future, lies, and messages that are never finished
//	stall              the server hangs for 10 s in mid-match: nobody may be put out for it
//	forged-tag         wrong tags inside one's own connection, and forged datagrams from outside
//
// An attack is a few scenes, one after the other:
//
//	join       honest players of package soak, who play to the end
//	scene      attackers come, each with a connection of its own below transport.Client (raw.go), and do their worst
//	judge      what the attacker saw, what the server counted by reason meanwhile, and, where the server is in this
//	           process, what it has audited: all three must be as PROTOCOL.md says
//	judge      the honest players: nothing of theirs may be lost
//
// The attackers have valid tokens and all keys of their own connections. A datagram from outside with a player's source
// address is one that the attacker sends from the player's own socket: the server cannot tell the difference.
package attack
