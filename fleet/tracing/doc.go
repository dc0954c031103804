// Package tracing makes OpenTelemetry spans of what players ask of a server: a trace for each
// exchange (transport.Exchange), a span for each of its steps.
//
//	sallyport sign-in ├──────────────────────────────────────────┤
//	  handshake       ├───────────────────┤
//	  sign-in                              ├─────────────────────┤
//	  verification                           ├──────────────┤
//
// The trace id is that of the audit's lines, so that either leads to the other. It is the server's
// own: what a client sends has no part in it, and no span has a parent outside. Spans name no
// player, no session, no address and nothing that a client has sent:
//
//	attribute                value
//	network.transport        "udp"
//	network.protocol.name    "sallyport"
//	error.type               the step's outcome, if that is not ok: a label of docs/fleet.md 11.1, or "left"
//	sallyport.cause          the cause, if there is one: a label of docs/fleet.md 11.2
//	sallyport.step           handshake, sign-in, resume, renewal, verification
//
// The status of a span is Error where the server could not do what was asked (unavailable, busy,
// full), and unset where it has refused a client: that is its work.
//
//	tracer := tracing.New(provider, tracing.Config{})
//	defer tracer.Close()
//	config.OnExchange = tracer.Exchange
package tracing
