// Package fleetkey manages the secrets that the servers of a fleet share. With them a server seals
// data that only servers of the fleet may read: the tickets with which players resume on another
// connection or server, and the snapshot with which a process hands its sessions to the next
// (PROTOCOL.md 8).
//
// A [Ring] holds the keys of one server: its first key seals, all of them open. The servers of a
// fleet can rotate keys one after the other without any player noticing, if each step is done
// everywhere before the next begins:
//
//	                            seals   opens
//	                            old     old
//	Set(old, next)              old     old, next     the next one is on every server
//	Rotate(next)                next    next, old     it seals; the old one still opens
//	…                                                 as long as identity tokens live, 24 hours at most
//	Set(next)                   next    next          the old one is dropped; Wipe erases it
//
// Rotate keeps one old key, so the next rotation drops it as well. Keys are stored in a file of
// their own, mode 0600, one a line, as [Key.Text] writes it and [Parse] reads it. Anyone who has
// the file can resume as any player.
package fleetkey
