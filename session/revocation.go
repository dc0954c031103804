package session

import (
	"errors"
	"strconv"
	"time"
)

// ErrRevocationsFull means that MaxRevocations are remembered already and none of them may be
// forgotten: the sessions that live have been revoked, but their players could come again. Refuse
// newcomers, or allow more revocations.
var ErrRevocationsFull = errors.New("session: too many revocations to remember another; live sessions are revoked, newcomers are not refused")

// ErrRevocation means that a Revocation does not say what it is about.
var ErrRevocation = errors.New("session: a revocation needs a kind and a value, and an issuer unless it is by build")

// RevocationKind says what a Revocation is about.
type RevocationKind uint8

// What can be revoked. A session by its id: see transport.Server.RevokeSession.
const (
	RevokeSubject RevocationKind = iota + 1 // a player of an issuer
	RevokeToken                             // one identity token, by its id (jti)
	RevokeSignIn                            // all tokens of one sign-in (origin_jti of Cognito, tid of Nakama)
	RevokeKey                               // all tokens that a key of the issuer has signed, by its id (kid)
	RevokeBuild                             // all clients that state a build
)

var revocationNames = [...]string{RevokeSubject: "subject", RevokeToken: "token", RevokeSignIn: "sign-in", RevokeKey: "key", RevokeBuild: "build"}

// String returns the kind as a word, or "revocation N".
func (k RevocationKind) String() string {
	if k >= RevokeSubject && k <= RevokeBuild {
		return revocationNames[k]
	}
	return "revocation " + strconv.Itoa(int(k))
}

// Revocation withdraws trust.
type Revocation struct {
	Kind   RevocationKind
	Issuer string // of the subject, token, sign-in or key; empty for a build
	Value  string

	// Time is when trust was withdrawn; zero means now. A subject's tokens that were issued later
	// are good again: who issues them has decided so. A token that does not say when it was issued
	// never is.
	Time time.Time
}
