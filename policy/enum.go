package policy

import "strconv"

// Action says how a session proceeds when a part of its fingerprint changes.
type Action uint8

const (
	ActionDefault Action = iota // as FingerprintConfig says for the part
	ActionRequire               // refused, or revoked
	ActionStepUp                // a fresh identity token within StepUpTime, or out
	ActionNote                  // recorded
)

// String returns "default", "require", "step up" or "note"; "action N" for a value that does not
// exist.
func (a Action) String() string {
	return name("action", int(a), "default", "require", "step up", "note")
}

// Verdict says how a datagram was judged: what session.Config.Inspect returns.
type Verdict uint8

const (
	VerdictAllow  Verdict = iota
	VerdictFlag           // allowed; to be recorded: the first above Flag since it was last calm
	VerdictLimit          // this datagram is dropped
	VerdictRevoke         // the session ends
)

// String returns "allow", "flag", "limit" or "revoke"; "verdict N" for a value that does not exist.
func (v Verdict) String() string { return name("verdict", int(v), "allow", "flag", "limit", "revoke") }

// name returns the name of an enum's value.
func name(kind string, n int, names ...string) string {
	if n >= len(names) {
		return kind + " " + strconv.Itoa(n)
	}
	return names[n]
}
