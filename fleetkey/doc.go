// Package fleetkey is the secrets that the servers of a fleet share. With them a server seals what only a server of the
// fleet is to read: the tickets by which players resume on another connection or server, and the snapshot by which a
// process hands its sessions to the next (PROTOCOL.md 8).
//
// A [Ring] is what a server has of them: its first key seals, all of them open. The servers of a fleet change keys one
// after the other, and no player notices, if each step is done everywhere before the next begins:
//
//	                            seals   opens
//	                            old     old
//	Set(old, next)              old     old, next     the next one is on every server
//	Rotate(next)                next    next, old     it seals; what the old one sealed still opens
//	…                                                 as long as identity tokens live, 24 hours at most
//	Set(next)                   next    next          the old one is forgotten; Wipe erases it
//
// Rotate keeps one old key, so the next change forgets it too. Keys lie in a file of their own, mode 0600, a line each, as
// [Key.Text] writes it and [Parse] reads it. Whoever has the file can resume as any player.
package fleetkey
