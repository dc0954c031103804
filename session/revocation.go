package session

import (
	"errors"
	"strconv"
	"time"
)

// ErrRevocationsFull means that MaxRevocations are kept already and none of them has expired. The
// live sessions have been revoked, but their players could join again. Refuse newcomers, or raise
// MaxRevocations.
var ErrRevocationsFull = errors.New("session: MaxRevocations reached; live sessions are revoked, but newcomers are not refused")

// ErrRevocation means that a Revocation lacks its kind, value or issuer.
var ErrRevocation = errors.New("session: a revocation needs a kind and a value, and an issuer unless it is by build or session; a session is 32 lower-case hexadecimal digits")

// RevocationKind is the kind of thing that is revoked.
type RevocationKind uint8

// The kinds of revocations. For a session by its id on one server see
// transport.Server.RevokeSession.
const (
	RevokeSubject RevocationKind = iota + 1 // a player of an issuer
	RevokeToken                             // one identity token, by its id (jti)
	RevokeSignIn                            // all tokens of one sign-in (origin_jti of Cognito, tid of Nakama)
	RevokeKey                               // all tokens that a key of the issuer has signed, by its id (kid)
	RevokeBuild                             // all clients that state a build
	RevokeSession                           // one session, by its Name in hexadecimal, wherever it lives or comes by ticket
)

var revocationNames = [...]string{RevokeSubject: "subject", RevokeToken: "token", RevokeSignIn: "sign-in", RevokeKey: "key", RevokeBuild: "build", RevokeSession: "session"}

// String returns the kind as a word, or "revocation N".
func (k RevocationKind) String() string {
	if k >= RevokeSubject && k <= RevokeSession {
		return revocationNames[k]
	}
	return "revocation " + strconv.Itoa(int(k))
}

// Revocation withdraws trust.
type Revocation struct {
	Kind   RevocationKind
	Issuer string // of the subject, token, sign-in or key; empty for a build or session
	Value  string

	// Time is when trust was withdrawn; zero means now, by the server's clock. Tokens of a subject
	// that were issued later are valid, because their issuer has decided so; a token without a time of
	// issue never is. With a zero Time every session that the subject has here ends, whenever its
	// token was issued.
	Time time.Time

	// Everywhere says that every server of the fleet is told of the revocation, so that Config.OnUsed
	// is not called for the sessions that it ends: set it for revocations from a feed.
	Everywhere bool
}
