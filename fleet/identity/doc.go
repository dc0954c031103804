// Package identity lets the services of a fleet prove to each other who they are: mutual TLS 1.3 with
// SPIFFE ids (X.509-SVID), short certificates that change without a restart, and a table of what
// each role may do. It protects HTTP servers, HTTP clients and NATS connections; players' datagrams
// have nothing to do with it.
//
//	Workload API (SPIRE, Istio) ─┐                    ┌─ Listen, ServerTLS    HTTP and NATS servers
//	                             ├─▶ Source ──────────┼─ Transport            HTTP clients
//	certificate, key, bundle ────┘   certificate,     └─ Dialer               NATS clients
//	(files, looked at each second)   bundle, Policy
//
// # A peer
//
// These checks are made of a peer's certificate, in this order, in each handshake and again with each
// call of Authorize; the first that fails is the Refusal:
//
//	NoCertificate   the peer shows none
//	NoID            no URI, as where the name is a DNS name only, or one that is no SPIFFE id
//	SeveralIDs      more than one URI
//	WrongDomain     the id is of another trust domain than ours
//	NotAService     a certificate authority's, or not for signatures
//	UnknownIssuer   no authority of the bundle has signed it
//	Expired         NotAfter is over; there is no tolerance
//	NotYetValid     NotBefore is more than ClockTolerance away, two minutes
//	TooLong         it is good for longer than Config.MaxLife, 24 hours
//	Denied          Policy.Denied has the id
//	UnknownRole     the id has no role
//	WrongRole       the role is none of those that may answer or call here
//	NotPermitted    the role lacks the permission: of Authorize only
//
// Up to UnknownIssuer nobody vouches for the name in the certificate, so no line of the log or the
// audit repeats it.
//
// # Roles
//
// The role of an id is the second part of its path: spiffe://game.example/role/game-state/eu-7 is of
// the role game-state. Policy.Table names ids one by one instead. What a role may do is this table,
// and nothing else:
//
//	                       matchmaking game-state leaderboard auth analytics operator broker
//	read sessions                                                            x
//	read names                                                               x
//	read stats             x                                       x         x
//	read metrics                                                   x         x
//	revoke                                                    x              x
//	kick                                                                     x
//	ban                                                                      x
//	drain                                                                    x
//	read keys                                                                x
//	rotate keys                                                              x
//	receive keys                       x
//	publish used                       x
//	publish revocations                                       x              x
//	subscribe              x           x          x           x              x
//
// Policy.Narrow takes permissions away from a role, and Policy.Widen adds some, which is logged as a
// warning. A broker, a NATS server, has none: it is called and calls nobody.
//
// # Long connections
//
// A connection made by Listen, Transport or Dialer is closed when the certificate of either end
// expires, and as soon as the peer fails a check above because the bundle or the Policy has
// changed. Clients make a new one with the current certificate. From then on Authorize refuses
// requests on connections of other listeners, but a response that is under way goes on.
//
// While this service's certificate cannot be renewed, the last one is used until it expires; then
// handshakes fail, because other services refuse it. No player is disconnected for that.
package identity
