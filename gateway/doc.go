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
// A gateway fails closed: while Backend.Ready returns an error nobody new is admitted, and is told
// that the server is unavailable, never why. Who plays stays. Only when the backend has been away for
// Config.Hold in one piece do the sessions end, with session.ReasonUnavailable, after which a client
// may come again at once with another identity token: nobody is put out for good for what a backend
// did. What players send meanwhile is given to the backend all the same, which drops it.
//
// # What a backend may do to a player
//
// It may send, and it may end a session with a reason of the game's own or one that says why the game
// cannot go on. It cannot ban, revoke or withdraw trust: CheckReason has the rule.
package gateway
