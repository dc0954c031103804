// Package websocket carries a session's datagrams over a WebSocket, for players in networks that
// block UDP. Nothing else changes: DTLS runs inside, from the player to the match server, and the
// WebSocket's TLS only gets the connection through. Whoever terminates that TLS, a proxy for
// instance, sees when and how much a player sends, as on UDP, and can neither read nor forge it.
//
// A Listener is the server's end: an http.Handler for the WebSockets, and the net.PacketConn that
// transport.Config.Also takes.
//
//	carrier, err := websocket.New(websocket.Config{})
//	config.Also = carrier // and then transport.Listen
//	go websocket.NewServer(carrier).ListenAndServeTLS("cert.pem", "key.pem")
//
// A Dialer is the player's end: its Fallback is transport.ClientConfig.Fallback.
//
// Each binary message is one datagram, of 1 to 1,500 bytes. Anything else closes the connection. A
// datagram for which there is no room is dropped, as in any network: neither end waits for the other.
// A WebSocket delivers late what UDP would have lost: players by UDP play better.
//
// # Browsers
//
// A browser has neither UDP nor DTLS. Config.Certificate lets pages of the sites in Config.Origins play
// nevertheless, by another subprotocol: their messages are envelopes, which only TLS protects on their way
// here, and from here to the match server a transport.Relay speaks DTLS for them. So whoever terminates
// that TLS can act as the player. SECURITY.md and PROTOCOL.md 9.9 say what that means.
package websocket
