// Package transport carries datagrams between players and a match server: UDP,
// DTLS 1.2, and a session token in every datagram.
//
//	internal/udp         a socket: many datagrams for each system call
//	 → internal/dtls     size, first byte, budget of the source; the connection, by remote address
//	                     or by the connection id in the record's nonce
//	     handshake records → internal/handshake: an engine, one goroutine, closed once it has the keys
//	     everything else   → internal/record: opened in place, number new in the record window
//	 → internal/wire     the envelope: kind, epoch, session id, sequence, tag
//	 → internal/machine  this connection's session, live, sequence not seen before, tag equal;
//	                     from here on state changes: window updated, fingerprint, rate and behaviour
//	 → Handler           payload borrowed for the call, with the Player it belongs to
//
// A datagram that fails on the way in is dropped without an answer and counted by its reason
// (audit.Drop); PROTOCOL.md 4 has the steps in order. Nothing before the tag allocates, takes a lock
// that two cores share, or can be made to change a player's state by somebody else. The way out is
// the mirror: payload, envelope, record, one batch for each tick.
//
// The same path in functions; a conn of this package joins the DTLS connection, the session and the
// Player:
//
//	in   Server.Poll → dtls.Shard.Turn → conn.Handle → machine.Conn.HandleLate → Handler.Receive
//	out  Player.Send → conn.put → machine.Conn.Append → record.Conn.Seal → dtls.Outbox → udp.Socket
//
// # Messages
//
// Besides payloads, each of one datagram, there are messages on lanes, for a server with
// [Config.Lanes]: reliable, in order, large, or the newest of a kind. Both ends use the same state
// machine, package internal/lanes; between turns only what is due runs.
//
//	in   conn.Handle → machine.Conn.HandleLate, Charge → lanes.Endpoint.Receive → Handler.Message
//	out  Player.SendMessage → lanes.Endpoint.Send … dtls.Outbox.Fill → schedule.pump → Endpoint.Append → put
//
// The lock of the shard's outbox guards a player's lanes. While a handler runs for a message the lock
// is free, so that the handler may send, and nothing but queueing touches these lanes. The schedule of
// a shard knows which lanes something has happened to, and when the others are due.
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
// A [Client] runs in a goroutine of its own, and [Client.Serve] delivers what arrives; or it runs
// in [Client.Poll], without a goroutine, which a game with a frame loop calls once a frame.
//
// # Connections come and go
//
// A player may change its address, lose its path, or use up its keys: [Client] resumes the
// session by itself, and the match sees the same [Player]. With [Config.Snapshot] the session goes
// on in the next process, too; there it is a new Player whose Session has the same Name.
//
// # Goroutines
//
// A connected player costs none. A handshake costs a few while it lasts, each
// verification of an identity token runs in one of a fixed few workers.
package transport
