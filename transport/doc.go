// Package transport carries datagrams between players and a match server: UDP,
// DTLS 1.2, and a session token in every datagram.
//
//	UDP socket, many datagrams at a time
//	 → gate           size, known address or hint? else only a first ClientHello within its source's budget
//	 → association    by remote address, or by the hint
//	     handshake records  → an engine of package handshake, one goroutine, bounded, gone when done
//	     everything else    → package record: opened in place, record replay window
//	 → session.Conn   envelope, session, life, epoch, replay, tag, fingerprint, rate
//	 → Handler        payload borrowed for the call, with the Player it belongs to
//
// What fails on the way in is dropped without a word and counted by its reason
// (audit.Drop). Nothing before the tag allocates, takes a lock that two cores
// share, or can be made to change a player's state by somebody else.
//
// # Which loop
//
// A match server that simulates in ticks calls [Server.Poll] at the beginning
// of each, and [Server.Flush] at its end: every datagram that came since the
// last tick is handled there, on the caller's goroutine, and everything sent
// goes out together. Nothing runs between ticks.
//
// A server without ticks, or one that must answer at once, calls
// [Server.Serve]: each datagram is handled as it comes. What a Handler sends
// goes out together when the datagrams at hand are done.
//
// # Connections come and go
//
// A player may change its address, lose its path, or use up its keys: [Client] goes
// on with the session by itself, and the match sees the same [Player]. With
// [Config.Snapshot] it goes on in the next process, too; there it is a new Player
// whose Session has the same Name.
//
// # Without sessions
//
// [DTLSServer] and [DTLSClient] are plain DTLS 1.2 on the same sockets,
// handshake and records, for talking to foreign stacks. They are not for games:
// nothing there knows who a peer is.
//
// # Goroutines
//
// A connected player costs none. A handshake costs a few while it lasts, each
// verification of an identity token runs in one of a fixed few workers.
package transport
