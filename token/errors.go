package token

import (
	"errors"
	"fmt"
	"time"
)

// Kinds of refusal. What Verify returns is an *Error, which matches one of them; use errors.Is. The
// texts are fixed and quote nothing of the token.
var (
	ErrMalformed   = errors.New("token: malformed")                 // size, segments, base64url, JSON, header
	ErrIssuer      = errors.New("token: unknown issuer")            // no profile has this iss
	ErrAlgorithm   = errors.New("token: wrong algorithm")           // alg is not the profile's, or the key's
	ErrClaims      = errors.New("token: bad claim")                 // missing, wrong type, too long
	ErrAudience    = errors.New("token: wrong audience")            // for another audience
	ErrExpired     = errors.New("token: expired")                   // exp is not in the future
	ErrNotYetValid = errors.New("token: not yet valid")             // nbf or iat is in the future
	ErrUnknownKey  = errors.New("token: unknown key")               // kid is not in the issuer's set, or missing
	ErrUnavailable = errors.New("token: key set cannot be reached") // try again later
	ErrSignature   = errors.New("token: signature does not verify") // forged, or signed by another key
)

// Two kinds of ErrClaims, which they match as well, that operators may see with good tokens.
var (
	// ErrLife: raise the profile's MaxLife, or better, let the issuer's tokens live shorter.
	ErrLife = fmt.Errorf("%w: its life is longer than the profile accepts", ErrClaims)

	// ErrGroup: the player is in none of the profile's Groups.
	ErrGroup = fmt.Errorf("%w: no group that the profile admits", ErrClaims)
)

// Reasons why a configuration is refused, when the program starts. The text after the colon says
// more.
var (
	ErrKey    = errors.New("token: key refused")
	ErrConfig = errors.New("token: configuration refused")
)

// withDetail returns err, which is ErrKey or ErrConfig, with a fixed detail.
func withDetail(err error, detail string) error { return fmt.Errorf("%w: %s", err, detail) }

// An Error says which check a token has failed, what was wrong and what to do about it, for the
// operator. Of the token it holds a name that this package knows and a number of seconds, never a
// value; it still belongs in logs, and not in an answer to a stranger, whom it would tell what to
// try next.
type Error struct {
	Check Check
	Claim string // claim or header field at fault, as the token's form has it; or empty

	// By is how long ago the token has expired, how long it is not valid yet, or how much longer
	// than MaxLife it lives; otherwise zero. It is cut to whole seconds and at most 24 hours: the
	// signature has not been verified by then.
	By time.Duration

	text string // fixed; empty stands for that of the check
}

// longestBy is the most that Error.By says.
const longestBy = 24 * time.Hour

// Error returns the text of the error that e matches, and more.
func (e *Error) Error() string {
	text := e.text
	if text == "" {
		text = checks[e.Check.known()].text
	}
	by := e.By.String()
	if e.By >= longestBy {
		by = "at least " + by
	}
	switch e.Check {
	case CheckExpired:
		return "token: expired " + by + " ago: " + text
	case CheckNotYetValid:
		return "token: not valid for another " + by + ": " + text
	case CheckLife:
		text = by + " longer: " + text
	case CheckAudience:
		text = e.Claim + " is " + text
	}
	if kind := e.Unwrap(); kind != nil {
		return kind.Error() + ": " + text
	}
	return "token: " + e.Check.String()
}

// Unwrap returns the exported error of this package that e is a kind of.
func (e *Error) Unwrap() error { return checks[e.Check.known()].err }

// failed returns the failure of a check on the claim or header field called name.
func failed(c Check, name string) error { return &Error{Check: c, Claim: name} }

// failedBy is failed for a time that is off by d.
func failedBy(c Check, name string, d time.Duration) error {
	return &Error{Check: c, Claim: name, By: min(d.Truncate(time.Second), longestBy)}
}

// malformed returns a failure of CheckForm. Both arguments are fixed texts.
func malformed(name, text string) error { return &Error{Check: CheckForm, Claim: name, text: text} }
