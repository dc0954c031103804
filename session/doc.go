// Package session holds what a server configures and names about its players' sessions: [Config]
// and the callbacks in it, [Ban] and [Revocation], and [Session], by which a match asks about a
// player.
//
// A session is one player's stay in one match. It begins when a verified identity token is shown,
// goes on over renewals and on other connections, and ends by CLOSE, expiry, revocation or silence.
// Package transport runs sessions; PROTOCOL.md says what they are made of.
package session
