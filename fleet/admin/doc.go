// Package admin is an HTTP API with which the services of a fleet operate a match server: who
// plays, stats, revoke, ban, kick, drain, fleet keys. It answers on connections of mutual TLS
// alone, and each call needs a permission of the caller's role (package identity).
//
//	drain := new(admin.Drain)              // its Authorize in session.Config.Authorize
//	server, err := transport.Listen(":7777", config)
//	api, err := admin.Handler(admin.Config{Server: server, Identity: source, Drain: drain})
//	l, err := net.Listen("tcp", ":7781")
//	go admin.NewServer(api).Serve(source.Listen(l))
//
// A request passes these steps, in this order; the first that refuses it answers with a Problem:
//
//	TLS 1.3, certificate of our trust domain, role         handshake fails; the identity's audit has it
//	certificate still good, role may do something          403 forbidden
//	the service's rate                                     429 rate
//	the rate of all services, of which each has a share    503 busy
//	method and path are a call's, to the letter            403 forbidden
//	the role has the call's permission                     403 forbidden
//	no page of another site                                403 cross-origin
//	parameters, body: known, once each, of their type      400, 413, 415
//	the call                                               200, 202, 404, 409, 503
//
// Each call is a line of the audit: decision operate, or deny for a call that the caller may not
// make (403) or makes too often (429), the caller's SPIFFE id, the operation, the outcome, and the
// label of the problem as its cause if the call failed. /live, /ready and /openapi.yaml are
// recorded only when they are refused; of calls beyond the rate, one a second is.
//
// openapi.yaml describes the calls; docs/operating.md, the command sallyport that makes them.
//
// # Names
//
// Sessions and bans are shown by the pseudonyms that the audit gives the players, and by issuer and
// subject to a role with the permission "read names" alone. Without it nobody can look for a name
// either: that would tell whose pseudonym is whose.
package admin
