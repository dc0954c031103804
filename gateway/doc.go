// Package gateway stands between players and a game that does not speak Sallyport: it has DTLS,
// sessions and lanes in front, and a Backend behind, which carries the same payloads and messages to
// the game.
//
//	player ─ UDP, DTLS, session ─▶ transport.Server ─▶ Gateway ─▶ Backend ─▶ game
//
// Package sidecar below this one is a Backend: one socket to a game process of any language.
//
//	g, err := gateway.New(gateway.Config{Listen: ":7777", Transport: …, Backend: backend})
//	err = g.Serve(ctx)                     // until ctx is done and the players are told
//	http.Handle("/", g.Handler())          // /live, /ready, /metrics
//
// A program whose backend has goroutines of its own sets transport.Config.Shards to what ShareProcessors
// returns.
//
// # When the backend is gone
//
// A gateway fails closed: while Backend.Ready returns an error, newcomers are refused, and are told
// that the server is unavailable, never why. Players stay. Only when the backend has been away for
// Config.Hold without a break do the sessions end, with session.ReasonUnavailable, after which a
// client may come again at once with another identity token: no player is shut out for good because
// a backend failed. While the gateway drains they end with session.ReasonShutdown in its place: so
// whoever is on the way to another server still arrives there. What players send meanwhile is still
// given to the backend, which drops it.
//
// # What a backend may do to a player
//
// It may send, and it may end a session with a reason of the game's own or one that says why the
// game cannot go on. It cannot ban, revoke or withdraw trust: see CheckReason.
package gateway
