package session

import "github.com/sallyport/sallyport/token"

// Purpose is the occasion of an Admission.
type Purpose uint8

// The purposes of an Admission.
const (
	Opening           Purpose = iota + 1 // a new session, by an identity token
	Renewing                             // a live session goes on with a newer identity token
	Resuming                             // a session of this server goes on, on another connection
	ResumingElsewhere                    // the session of another server, or of a connection that has ended, goes on here
)

var purposeNames = [...]string{Opening: "opening", Renewing: "renewing", Resuming: "resuming", ResumingElsewhere: "resuming elsewhere"}

// String returns the purpose in words.
func (p Purpose) String() string {
	if p < Opening || p > ResumingElsewhere {
		return "no purpose"
	}
	return purposeNames[p]
}

// Admission is what Config.Authorize decides about. It is valid until Authorize returns, but for
// Claims and Session, which may be kept.
type Admission struct {
	Why Purpose

	// Claims are those of the identity token that is shown, which has been verified. A ticket knows
	// of them issuer, subject, ids, scope, times of issue and expiry, platform and build, and
	// nothing else.
	Claims *token.Claims

	// Scope is the match that the client asks for in HELLO: empty if it asks for none, and for
	// Renewing.
	Scope string

	// Session is the one that goes on, nil for Opening. The seat that it has in a match is its own:
	// do not count it against the player. For ResumingElsewhere it has no seat that this server
	// knows of, unless the match has kept one by its Name.
	Session Session
}

// Refusal is an error of Config.Authorize with the reason that the player gets. ReasonFull,
// ReasonBusy and ReasonUnavailable mean "not now": the client may ask again, and a session that
// lives goes on. Every other reason ends the session that is renewed or resumed here, and its
// tickets as PROTOCOL.md 5.5 says.
type Refusal Reason

// Error implements error.
func (r Refusal) Error() string { return "session: refused: " + Reason(r).String() }
