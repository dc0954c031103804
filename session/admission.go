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
// only Claims, Identity and Session may be kept.
type Admission struct {
	Why Purpose

	// Claims are those of the verified identity token. A ticket holds only issuer, subject, ids,
	// scope, times of issue and expiry, platform and build: do not look for user name, groups and
	// claims of the game's own here, but in Identity.
	Claims *token.Claims

	// Identity is what else the identity token says about the player. For a resumed session some of it
	// may be unknown.
	Identity Identity

	// Scope is the match that the client asks for in HELLO: empty if it asks for none, and for
	// Renewing.
	Scope string

	// Hosted is Config.Scope: the match that the server hosts, empty if any.
	Hosted string

	// Metadata is what the client's HELLO carries for the game, at most 256 bytes that the player may
	// have chosen freely; nil if it carries none, and unless Why is Opening. It must not be changed.
	Metadata []byte

	// Session is the session that continues, nil for Opening. Its seat in the match is its own: do
	// not count it against the player. For ResumingElsewhere this server knows of no seat, unless
	// the match has kept one under the session's Name.
	Session Session
}

// ScopeAgrees reports whether the scopes agree as a server without Authorize requires: the token is
// for the match that the server hosts and that the client asks for, where either is given. A session
// that is renewed, or resumed where it lives, keeps its scope.
func (a *Admission) ScopeAgrees() bool {
	if a.Why == Renewing || a.Why == Resuming {
		return true
	}
	hosted, asked := a.Hosted == "" || a.Hosted == a.Claims.Scope, a.Scope == "" || a.Scope == a.Claims.Scope
	return hosted && asked
}

// Refusal is an error of Config.Authorize that gives the reason for the player. ReasonFull,
// ReasonBusy and ReasonUnavailable mean "not now": the client may try again, and a live session
// continues. Every other reason ends the session that is renewed or resumed here, and its tickets
// as PROTOCOL.md 5.5 says. Do not refuse a player who comes with
// ReasonIdle: the client takes that for a HELLO that has not arrived whole, and tries again.
type Refusal Reason

// Error implements error.
func (r Refusal) Error() string { return "session: refused: " + Reason(r).String() }
