package audit

import (
	"net/netip"
	"time"
)

// Event is one decision. Subject, TokenID, Prefix and Previous are given in clear; the Sink
// pseudonymizes or shortens them. Detail must name neither a person nor an address.
type Event struct {
	Time     time.Time // zero means now
	Decision Decision
	Reason   Drop // DropNone where nothing was refused

	// Cause is which check has refused, or what has ended a session: a label of docs/fleet.md 11.2,
	// more exact than Reason. For Deny, and for Operate where the call has failed, it is a label of the
	// API's. Empty where there is none.
	Cause string

	Issuer, Subject, TokenID string // of the identity token
	Session                  uint32 // zero outside a session

	Prefix   netip.Prefix // network of the peer
	Previous netip.Prefix // Migrate: the former network; Replace: the network of the session that replaces it, if known

	// Actor is the SPIFFE id of the service that has called, and Operation what it has asked for; for
	// Operate and Deny alone. The lines have both in clear, so Actor should name a service or a role.
	Actor, Operation string

	Part    string // part of the fingerprint that differs, for StepUp, Flag, Revoke and Reject
	Version string // of the library and its protocol; optional
	Trace   string // W3C trace id: 32 lower-case hex digits, not all zero; anything else is left out

	Platform, Build, Scope, Detail string
}

// Sink takes events. Record is safe for concurrent use, never blocks and never fails: a Sink counts
// the events it cannot take.
type Sink interface {
	Record(Event)
}

// Tee returns a Sink that gives each event to all of sinks, in this order and with one time. Nil
// ones are left out.
func Tee(sinks ...Sink) Sink {
	var t tee
	for _, s := range sinks {
		if s != nil {
			t = append(t, s)
		}
	}
	return t
}

type tee []Sink

func (t tee) Record(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	for _, s := range t {
		s.Record(e)
	}
}
