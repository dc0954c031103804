package session

import "github.com/sallyport/sallyport/internal/identity"

// Identity is what the newest identity token of a session says about its player beyond Issuer and
// Subject: user name, groups, and the claims that token.Profile.Keep names. It does not change. The
// zero value knows nothing.
//
// A ticket and a snapshot hand on about 160 bytes of it, in this order, and what does not fit is
// unknown until the next renewal: after a session has been resumed on another server, or after a
// restart. So every method takes the value to return when the answer is not known. A match that
// refuses a player for that refuses an honest one.
//
//	id := player.Session().Identity()
//	vip := id.InGroup("vip", false)                       // false if it is not known
//	friends := id.Groups(nil)                             // nil if they are not known
//	rank := id.Claim("rank").Text("none", "to be seen")   // the token has none; it is not known
//	name := id.UserName().Text("somebody", "somebody")
//
// Its methods are
//
//	UserName() Claim
//	Groups(unknown []string) []string
//	InGroup(name string, unknown bool) bool
//	Claim(name string) Claim
type Identity = identity.Identity

// Claim is what is known of one claim of an identity token. Text, Number, Bool and Texts return its
// value, or their first argument if the token has no such claim of this type, or their second if it
// is not known. Its methods are
//
//	Text(absent, unknown string) string
//	Number(absent, unknown float64) float64
//	Bool(absent, unknown bool) bool
//	Texts(absent, unknown []string) []string
//	State() ClaimState
type Claim = identity.Claim

// ClaimState is what is known of a claim.
type ClaimState = identity.State

// The states of a claim.
const (
	ClaimUnknown ClaimState = identity.Unknown // the token may have it, but the ticket or snapshot had no room for it
	ClaimAbsent  ClaimState = identity.Absent  // the token has no such claim
	ClaimPresent ClaimState = identity.Present
)
