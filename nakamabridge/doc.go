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
// between the two: see [Bridge.UserID] and [Bridge.Subject]. A session variable never is, because
// some of Nakama's ways in let clients write them. A new account's username is random and does not
// show the sub; a player may change it later.
//
// Nakama keeps one hook of each kind, and the last one registered wins. A plugin with hooks of its
// own calls those of the Bridge first, from within them. No panic leaves a hook, since it would end
// Nakama. A hook's errors have fixed texts and the codes 3 (not a request), 7 (not allowed), 13
// (our fault), 14 (try again), 16 (token refused); the cause is logged. Two first sign-ins of one
// player at once may give one of them Nakama's code 13: the client tries again.
//
// # How a client connects
//
// It signs in to Nakama and calls the RPC "sallyport_connect" with {"match_id":"<uuid>.<node>"},
// over its socket or over HTTP. The answer is
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
// Refusals have the codes 3, 5 (no such match on this node), 7, 14 and 16.
//
// A call over the socket gives a token for the player who has, or will within [JoinWait] have,
// joined the match by that very socket: the datagrams count as sent by that presence, and when it
// leaves the match, UDP ends. A call over HTTP makes a UDP-only player, where Config.VirtualPlayers
// allows it.
//
// # Datagrams
//
// The payload of each DATA, in both directions, with the numbers of [runtime.MatchData]:
//
//	offset size
//	     0  1-9  op code, 0 to 2^63-1, unsigned LEB128: 7 bits a byte, the lowest first, high bit set on all but the last;
//	             no longer than need be
//	     …    …  data, so that payload and op code are at most 1,145 bytes
//
// The sender of a broadcast does not travel: a game whose clients must know it puts it into the
// data.
//
// # The match handler
//
// [Bridge.Match] puts itself in front of the handler, which does not change. Inputs that have come
// by UDP before a tick are among its messages, with GetReliable false, behind those of the socket.
// Joins and leaves of UDP-only players are calls like those of others, with "transport": "udp" as
// metadata; calls for joins come before the tick's MatchLoop, those for leaves after it. A handler
// may keep a message, and its data, as it may those of the socket.
//
//	broadcast         socket only   socket and UDP          UDP only
//	reliable          socket        socket                  UDP, which may lose it
//	not reliable      socket        UDP; socket if too big  UDP
//
// The dispatcher may be used within the handler's calls only. Nakama itself knows nothing of
// UDP-only players: they are not counted in MatchList, get no presence events on sockets, and a
// match of theirs alone ends after match.max_empty_sec if that is set.
//
// # How it ends
//
// A UDP session ends when its socket leaves the match, when its token ends (for a UDP-only player
// never later than the Nakama session), when the match kicks it or stops, when the player logs out,
// and at the latest [Config.BanInterval] after the account was banned or deleted; an account is
// looked at when its UDP session begins, too. [Bridge.Revoke] ends it at once.
package nakamabridge
