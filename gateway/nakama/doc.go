// Package nakama is a gateway.Backend for Nakama: players have UDP in front, and for each of them the
// gateway has a WebSocket to an unmodified Nakama 3, whose matches may be of any runtime: TypeScript,
// Lua or Go. The match does not know the difference.
//
//	player ─ UDP, DTLS, session ─▶ gateway ─ WebSocket ─▶ Nakama
//
// What it can and cannot do beside the plugin, package nakamabridge, is in docs/nakama-gateway.md.
//
// # Who a player is
//
// With Config.ServerKey players bring an identity token of an issuer that the gateway trusts, as they
// would to any server here. The gateway verifies it and signs in to Nakama by custom authentication,
// with the custom id of package nakamabridge, so that both reach the same accounts; it refreshes the
// Nakama session as long as the player plays.
//
// With Config.Sessions players have signed in to Nakama themselves, in whatever way, and their Nakama
// session token is what they bring. The gateway verifies it with Nakama's session key, and Nakama
// verifies it once more when the WebSocket is opened. To stay, a player shows the next one before it ends,
// by RENEW.
//
// # How a client connects
//
// Its HELLO has the token, and as metadata (session.ClientConfig.Metadata) a JSON object, the payload of
// the plugin's RPC and a bit more, at most 256 bytes together:
//
//	match_id   "<uuid>.<node>", or "<uuid>." of a relayed match
//	metadata   what match_join has on a socket: texts by name; may be missing. "transport": "udp" is added
//	sender     true for datagrams that name the sender of a broadcast; may be missing
//	presences  true for presences on lane 2; may be missing
//
// Its scope is empty, or "match:" and the match id, and behind that, with spaces between, the words
// sender and presences for what else it wants. A client that states its scope can be resumed on another
// gateway that has the same fleet keys; one that does not signs in there anew. An issuer binds an identity
// token to a match by the word "match:" and the match id in the token's own scope, among others or alone:
// then the client has to ask for that match by its scope. A session that is renewed or resumed keeps it.
//
// Payloads and messages are those of package nakamabridge, op code and data, on the same lanes 0 and 1.
// On lane 2 are the answer to the join, and then presence events, each a JSON text as Nakama sends it to
// a socket:
//
//	{"match":{"match_id":"…","presences":[…],"self":{…}}}
//	{"match_presence_event":{"match_id":"…","joins":[…],"leaves":[…]}}
//
// A reliable input goes on lane 0, and arrives once and in order as long as the WebSocket lives. An
// input longer than Config.MaxInput is dropped, since Nakama would end the WebSocket for it.
//
// # How it ends
//
//	reason           detail                       when
//	kicked (3)       the match's own text         the match refuses the player, as when it is full
//	kicked (3)       the match has removed …      the match has kicked the player
//	kicked (3)       Nakama does not …            the account is banned, or the session logged out
//	left (1)         the match is over            the match has ended, or there is none
//	busy (12)        too many reliable …          more than 1 MiB waits for the player, or of it for Nakama
//	busy (12)        too many want to join …      the match has let none of its requests in for Config.Stay
//	unavailable (16)                              Nakama is away, or the WebSocket could not be made again
//
// After the last three a client may come again at once. A player whose WebSocket breaks stays for
// Config.Stay while it is made again. To the match it is a presence that leaves and another one, of
// the same user, that joins: what was sent between the two is lost, and unreliable input that
// waited is dropped. A match that refuses the user because it still has the former presence is
// asked again. So is one that is behind with its join attempts, for which Nakama answers with a
// refusal. A player who comes from another gateway may have its former presence there.
//
// # Kicks and ends
//
// Nakama tells a socket neither that the match has kicked it nor that the match has ended. The
// gateway learns of a kick by the other players' sockets, at once, and of an end by asking for the
// match every Config.Check. If none of the remaining players came by this gateway, a kick goes
// unnoticed: the session goes on, and nothing that the player sends reaches the match.
package nakama
