// Package session holds what a server configures and names about the sessions of its players:
// [Config] and its callbacks, [Ban] and [Revocation], and [Session], through which a match asks
// about a player.
//
// A session is one player's stay in one match. It begins when a verified identity token is
// presented, continues over renewals and on other connections, and ends by CLOSE, expiry,
// revocation or silence. Package transport runs sessions; PROTOCOL.md specifies them.
package session
