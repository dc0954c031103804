// Package resume seals and opens the bytes with which a session outlives its connection, its server
// and its process, as PROTOCOL.md 8 and docs/fleet.md 8 specify them:
//
//	a player's connection breaks                       a process is replaced
//	   WELCOME, RENEWED ── Ticket.Seal ─▶ client          stops sending
//	                                        │             NewWriter: Add, Remember, Revoke; Close
//	   new connection                       │                │
//	   HELLO ◀── the ticket, and Prove ─────┘             file; its sessions are good for 30 s
//	   OpenTicket, Proven: the same session               Read: the same sessions, no handshake
//
// It reads and writes, and decides nothing: its caller remembers whether a ticket has been used, a
// session has ended or a token is revoked. Only the fleet's servers have the keys of
// [fleetkey.Ring], so bytes that open were written here; all others are refused with the same
// error.
package resume
