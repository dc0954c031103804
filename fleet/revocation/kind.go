package revocation

import "strconv"

// Kind is what a Record is about. The numbers are those of the byte form and do not change.
type Kind uint8

// The kinds of records. KindSubject to KindBuild are those of session.Revocation.
const (
	KindSubject Kind = iota + 1 // a player of an issuer: tokens that were issued until then
	KindToken                   // one identity token, by its id
	KindSignIn                  // all tokens of one sign-in
	KindKey                     // all tokens that a key of the issuer has signed
	KindBuild                   // all clients that state a build
	KindSession                 // one session, by its name
	KindBan                     // a player of an issuer, with whatever token
	KindLift                    // ends bans of a player
	KindUsed                    // a token, ticket or session that was used on one server
)

var kindNames = [...]string{
	KindSubject: "subject", KindToken: "token", KindSignIn: "sign-in", KindKey: "key", KindBuild: "build",
	KindSession: "session", KindBan: "ban", KindLift: "lift", KindUsed: "used",
}

// String returns the kind as a word, or "kind N".
func (k Kind) String() string {
	if k >= KindSubject && k <= KindUsed {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Kinds is a set of kinds.
type Kinds uint16

// The sets that most publishers need. AllKinds is for a central publisher, ServerKinds for a match
// server: what was used there, sessions that were ended there, and bans of its own.
const (
	AllKinds    Kinds = 1<<(KindUsed+1) - 1<<KindSubject
	ServerKinds Kinds = 1<<KindSession | 1<<KindBan | 1<<KindLift | 1<<KindUsed
)

// KindsOf returns the set of these kinds. Unknown values are left out.
func KindsOf(kinds ...Kind) (s Kinds) {
	for _, k := range kinds {
		s |= 1 << k & AllKinds
	}
	return s
}

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return k <= KindUsed && s>>k&1 == 1 }
