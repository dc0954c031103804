// Package nakamabridge lets the players of a Nakama server sign in with Amazon Cognito, or another
// issuer of identity tokens, and play an authoritative match over UDP. It is linked into a Go
// runtime plugin:
//
//	func InitModule(
//		ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, init runtime.Initializer,
//	) error {
//		b, err := nakamabridge.New(ctx, nakamabridge.Config{
//			Verifier: verifier, Accounts: nk, Logger: logger, // verifier: token.NewVerifier(cognito.Profiles()...)
//			Address: ":7777", Public: "play.example.com:7777",
//		})
//		if err != nil {
//			return err
//		}
//		if err := b.Register(init, nakamabridge.DenyOthers); err != nil {
//			return err
//		}
//		return init.RegisterMatch("arena", b.Match(newArena))
//	}
//
// # Identity
//
// A client signs in by authenticate/custom with its identity token as id. The hook verifies the
// token and puts in its place a custom id that nobody can choose:
//
//	cognito:<pool>:<sub>          a Cognito user pool, under both of the issuer names that AWS gives it
//	jwt:<issuer>:<sub>            any other issuer, as 22 characters of base64url(SHA-256(iss))
//
// The sub has only printable ASCII, and the whole at most 128 bytes; other identities are refused.
// Nakama makes a user id of its own and keeps the custom id beside it, so the custom id is the map
// between the two: see [Bridge.UserID] and [Bridge.Subject]. A session variable never serves for
// that, because some of Nakama's ways to sign in let clients write them. A new account's username
// is random and does not show the sub; a player may change it later.
//
// Nakama keeps one hook of each kind, and the last one registered wins. A plugin with hooks of its
// own calls those of the Bridge first, from within them. Hooks recover from panics, which would end
// Nakama. A hook's errors have fixed texts and the codes 3 (not a request), 7 (not allowed), 13
// (internal error), 14 (try again), 16 (token refused); the cause is logged. Two first sign-ins of
// one player at once may give one of them Nakama's code 13: the client tries again.
//
// The issuer is asked only at sign-in. Nakama refreshes the resulting session for as long as its
// own account is good, so a player whom the issuer has banned, or whose account there is gone,
// stays until the account is banned in Nakama, too. With the option [VerifyRefresh] a refresh needs
// a valid identity token of the same player, as the session variable [IdentityVar].
//
// # How a client connects
//
// It signs in to Nakama and calls the RPC "sallyport_connect", over its socket or over HTTP, with
//
//	match_id     "<uuid>.<node>"
//	metadata     what match_join has on a socket: texts by name, together at most 512 bytes; may be missing,
//	             and is ignored in a call over a socket, which joins by match_join
//	sender       true for datagrams that name the sender of a broadcast; may be missing
//
// as a JSON object. The answer is
//
//	address      where to send datagrams, "host:port"
//	pin          SHA-256 of the server's certificate in DER, 64 hex digits: the client accepts no other certificate
//	certificate  that certificate, base64 (RFC 4648 section 4) of the DER, for a client that takes roots in place of pins
//	token        the identity token for HELLO; good for one use
//	expires      when the token ends, in seconds since 1970 by the server's clock
//	match_id     as asked
//
// and PROTOCOL.md has the rest: DTLS, HELLO with the token (the scope asked for stays empty, or is
// "match:" and the match id), and RENEW with a token from another call before the one in use ends.
// Refusals have the codes 3, 5 (no such match on this node), 7, 9 (the match exists, and is not
// behind a Bridge: its handler is in Lua or TypeScript, or was registered without [Bridge.Match]),
// 14 and 16.
//
// A call over the socket gives a token for the player who has, or will within [JoinWait] have,
// joined the match by that very socket: the datagrams count as sent by that presence, and when it
// leaves the match, UDP ends. A call over HTTP makes a UDP-only player, where Config.VirtualPlayers
// allows it, also of a user who has a socket in the match: to the game that is another presence.
//
// # Datagrams and lanes
//
// The payload of each DATA and each message on a lane, in both directions, with the numbers of
// [runtime.MatchData]:
//
//	offset size
//	     0  1-9  op code, 0 to 2^63-1, unsigned LEB128: 7 bits a byte, the lowest first, high bit set on all but the last;
//	             no longer than need be
//	     …    …  data, so that payload and op code are at most 1,145 bytes, or what the lane takes
//
// A client should have lanes (PROTOCOL.md section 16; session.ClientConfig.Lanes): without them it
// gets what fits one datagram, and that unreliably. The bridge has two, which nobody configures:
//
//	lane  mode        message at most  queue for a player    for
//	   0  ordered     65,536 bytes     1,048,576 bytes       reliable broadcasts; a player's reliable input
//	   1  unreliable  34,816 bytes     262,144 bytes, 0.5 s  other broadcasts that fit no DATA; a player's input that fits none
//
// A reliable broadcast on lane 0 arrives exactly once, in the order of the broadcasts, whatever
// their op codes, as on a socket; one that is deferred comes behind the others of the call. Those of
// one call share datagrams, which leave at its end, or before: within 250 ms. It goes on after a
// blackout, at another address and on another connection to the same server. Any other arrives at
// most once or not at all, and there is no order between DATA and the lanes. Lane 1 has one parity
// frame a message. If more than its queue waits on lane 0 for a player, its session ends with
// session.ReasonBusy: with a message left out, game and player would no longer agree. Nakama ends a
// socket for that, too. MatchLeave has the reason Disconnect then, and the player may call the RPC
// and come back at once. A queue lasts for the 30 s of silence after which a session ends anyway if the game
// sends at most 34 KB a second.
//
// A client that has asked for it with "sender" gets, between op code and data, the 16 bytes of the
// user id (RFC 9562 section 4) whom the game names as the sender of a broadcast, as a socket gets
// it, or zeros when it names none. Data is 16 bytes shorter then. What a client sends never has it.
//
// # The match handler
//
// [Bridge.Match] puts itself in front of the handler, which does not change. Inputs that have come
// by UDP before a tick are among its messages, behind those of the socket. GetReliable is true for
// those on lane 0. Inputs for which Config.Queue has no room are dropped, counted by [Stats], and
// logged if they were reliable. Joins and leaves of UDP-only players are calls like those of
// others, with the metadata of the RPC and "transport": "udp"; calls for joins come before the
// tick's MatchLoop, those for leaves after it. The reason that a handler gives when it refuses a
// player reaches the client as the detail of the CLOSE, as far as 64 bytes. A player who connects
// again before the match has seen the old session end keeps its presence, and the handler is not
// called: a client that needs the state of the game on a new connection asks for it. A handler may
// keep a message, and its data, as it may those of the socket, and gets the same by json.Marshal.
//
//	broadcast         socket only   socket and UDP          UDP only
//	reliable          socket        socket                  lane 0; without lanes DATA, which may be lost
//	not reliable      socket        UDP; socket if too big  UDP: DATA, or lane 1 if it fits none
//
// Most handlers send everything as reliable, with which players who have a socket get nothing by
// UDP. [Config.Unreliable] names the op codes that count as not reliable without a change to the
// handler. A broadcast that is too large for a player's UDP, or whose op code is negative, goes by
// socket, and players without one do not get it; [Stats] counts it, and the log has the first of each
// op code in a match. The broadcast then returns no error, as Nakama's would not: a game should not
// fail because of one player's client.
//
// Like Nakama's, the dispatcher may be used by any goroutine. The nk that the handler is given is
// that of [Bridge.Module]. Nakama itself knows nothing of UDP-only players: they are not counted in
// MatchList, get no presence events on sockets, and a match of theirs alone ends after
// match.max_empty_sec if that is set.
//
// Handlers in Lua and TypeScript run in Nakama's own interpreters, out of a Go plugin's reach:
// their players have sockets, or come by package gateway/nakama, with the same client.
//
// # How it ends
//
// A UDP session ends when its socket leaves the match, when its token ends (for a UDP-only player
// never later than the Nakama session), when the match kicks it or stops, when the player logs out,
// and at the latest [Config.BanInterval] after the account was banned or deleted; an account is
// looked at when its UDP session begins, too. [Bridge.Revoke] ends it at once.
//
// Nakama's SessionDisconnect and SessionLogout know sockets and sessions only. For a player without
// a socket call them, UsersBanId and AccountDeleteId on the [Bridge.Module] of nk, which ends UDP
// as well; match handlers get that nk.
//
// Reliable broadcasts that the match has sent before it kicks a player or ends arrive before the
// CLOSE, which waits for them for up to 5 s; what the player sends meanwhile does not count.
//
// The CLOSE of a match that has ended says so: session.ReasonLeft with the detail "the match is
// over". It is session.ReasonShutdown when Nakama itself stops. MatchLeave of a UDP-only player has
// the reason that a socket's has: Leave after a kick or when the player has left, Disconnect when
// the session was lost, revoked or has expired, and the one given to SessionDisconnect.
package nakamabridge
