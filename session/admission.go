package session

import "github.com/sallyport/sallyport/token"

// Purpose is why an Admission is asked for.
type Purpose uint8

// The purposes of an Admission.
const (
	Opening           Purpose = iota + 1 // a new session, by an identity token
	Renewing                             // a live session continues with a newer identity token
	Resuming                             // a session that lives on this server continues on another connection of its client
	ResumingElsewhere                    // a session continues here that lived on another server, or whose connection has ended
)

var purposeNames = [...]string{Opening: "opening", Renewing: "renewing", Resuming: "resuming", ResumingElsewhere: "resuming elsewhere"}

// String returns the purpose in words.
func (p Purpose) String() string {
	if p < Opening || p > ResumingElsewhere {
		return "no purpose"
	}
	return purposeNames[p]
}

// Admission is the subject of a decision of Config.Authorize. It is valid until Authorize returns;
// only Claims and Session may be kept.
type Admission struct {
	Why Purpose

	// Claims are those of the verified identity token. A ticket holds only issuer, subject, ids,
	// scope, times of issue and expiry, platform and build.
	Claims *token.Claims

	// Scope is the match that the client asks for in HELLO: empty if it asks for none, and for
	// Renewing.
	Scope string

	// Session is the session that continues, nil for Opening. Its seat in the match is its own: do
	// not count it against the player. For ResumingElsewhere this server knows of no seat, unless
	// the match has kept one under the session's Name.
	Session Session
}

// Refusal is an error of Config.Authorize that gives the reason for the player. ReasonFull,
// ReasonBusy and ReasonUnavailable mean "not now": the client may try again, and a live session
// continues. Every other reason ends the session that is renewed or resumed here, and its tickets
// as PROTOCOL.md 5.5 says.
type Refusal Reason

// Error implements error.
func (r Refusal) Error() string { return "session: refused: " + Reason(r).String() }
