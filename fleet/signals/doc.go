// Package signals receives what identity providers say about players by OpenID Shared Signals (SSF
// 1.0, CAEP 1.0, RISC 1.0), and makes revocations of it: a logout at the provider ends the player on
// every server of the fleet.
//
//	transmitter ── push, RFC 8935 ──▶ Receiver.ServeHTTP ─┐
//	transmitter ◀─ poll, RFC 8936 ─── Receiver.Poll ──────┴▶ token.EventVerifier ─▶ jti ─▶ event ─▶ subject
//	                                                                                                  │
//	            ◀─ 202, ack: only once it is on disk ──────────── revocation.Publisher.Append ◀───────┘
//
// # What an event does
//
//	session-revoked (CAEP), sessions-revoked (RISC)              player, or the sign-in that it names
//	credential-change (CAEP), but for change_type create         player
//	account-disabled, account-purged, credential-compromise,
//	account-credential-change-required (RISC)                    player
//	verification, stream-updated (SSF)                           Stats, and an alarm if the stream stops
//	token-claims-change, device-compliance-change, all others    nothing: acknowledged and counted
//
// Tokens of the player that were issued up to the time of the event are refused: event_timestamp,
// or else toe, or else iat, and at most 30 s (token.MaxLeeway) after the event was received. Tokens
// that are issued later are good, because the provider has decided so. So an event that comes late,
// or twice, ends no session of a player who has signed in since; and one that is older than the
// longest-lived token does nothing.
//
// # Whom it is about
//
//	iss_sub       Players has the issuers that the transmitter may speak of, and the name that each has
//	              in our sessions; without it, the transmitter's own
//	opaque        a subject of the issuer that Opaque names
//	complex       its user, and for session-revoked its session where Sessions says that these are
//	              sign-in ids
//	aliases       each of its identifiers that is one of these
//	others        Map: email, phone_number, account, did, uri, jwt_id
//
// A subject that no field allows is refused with invalid_request, and an alarm tells the operator:
// acknowledging an event that does nothing would be worse.
//
// # Refusals
//
//	err (RFC 8935 2.4)     why
//	invalid_request        form, type, claims, two events, subject
//	invalid_issuer         no Transmitter has that iss
//	invalid_audience       aud is for somebody else
//	invalid_key            kid, algorithm, signature
//	authentication_failed  the header Authorization is not the Transmitter's
//	invalid_state          a verification that nobody has asked for (SSF 1.0 8.1.4.1)
//
// What may succeed later is answered with 503 while the keys cannot be fetched or the publisher
// cannot write, and with 429 beyond a transmitter's rate. The transmitter tries again.
package signals
