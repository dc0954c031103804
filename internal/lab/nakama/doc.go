// Package nakama plays the arena of examples/nakama as a game's client does: it signs in to Nakama
// with an identity token, finds a match, asks where to go by UDP, and goes there.
//
//	api.go   the four calls by HTTP
//	play.go  the match by UDP
package nakama
