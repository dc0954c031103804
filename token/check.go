package token

import (
	"errors"
	"strconv"
)

// A Check is what a token is checked for. Each has a short label, by which operators count and
// filter refusals; a label is never renamed.
type Check uint8

// The checks of Verify, in the order of the package comment.
const (
	CheckNone        Check = iota // nothing was refused
	CheckSize                     // its length
	CheckSpace                    // white space or a byte order mark around it, and good form within
	CheckForm                     // segments, base64url, JSON, header fields
	CheckIssuer                   // iss: some profile's
	CheckAlgorithm                // alg: the profile's, and the key's
	CheckType                     // typ: the profile's
	CheckClaim                    // a claim's presence, type, length, characters; Error.Claim names it
	CheckAudience                 // aud, or client_id: one of the profile's
	CheckGroup                    // cognito:groups: one of the profile's
	CheckExpired                  // exp
	CheckNotYetValid              // nbf, iat
	CheckLife                     // from iat to exp: at most the profile's MaxLife
	CheckKey                      // kid: in the issuer's key set
	CheckKeySet                   // the issuer's key set could be fetched; its failure says nothing about the token
	CheckSignature                // the signature, under that key
	CheckOther                    // of a Verifier that is not this package's
	numChecks
)

// checks has the label of each Check, the error that a failure matches, and what the operator reads
// after that error's text where the failure does not bring a text of its own.
var checks = [numChecks]struct {
	label string
	err   error
	text  string
}{
	CheckNone:        {"none", nil, ""},
	CheckSize:        {"size", ErrMalformed, "longer than 32,768 bytes: the issuer must put less into it"},
	CheckSpace:       {"white space", ErrMalformed, "white space around the token: trim what is read from a file"},
	CheckForm:        {"form", ErrMalformed, ""},
	CheckIssuer:      {"issuer", ErrIssuer, "no profile has its iss: is it from another pool or environment?"},
	CheckAlgorithm:   {"algorithm", ErrAlgorithm, "alg is not the profile's"},
	CheckType:        {"type", ErrMalformed, "typ is not the profile's: is it another kind of token?"},
	CheckClaim:       {"claim", ErrClaims, ""},
	CheckAudience:    {"audience", ErrAudience, "none of the profile's: is the token for another app client, or another server?"},
	CheckGroup:       {"group", ErrGroup, "if the player has been put in one since, a new token says so"},
	CheckExpired:     {"expired", ErrExpired, "the client must get a new one, or a clock is wrong"},
	CheckNotYetValid: {"not yet valid", ErrNotYetValid, "is a clock wrong?"},
	CheckLife:        {"life", ErrLife, "have the issuer's tokens live shorter, or raise MaxLife"},
	CheckKey:         {"key unknown", ErrUnknownKey, "the issuer has no key named by its kid: is the key file old, or the token from another environment?"},
	CheckKeySet:      {"key set", ErrUnavailable, "the token may be good: try again; OnFetch has the cause"},
	CheckSignature:   {"signature", ErrSignature, "forged, changed on its way, or signed by another key than the issuer's of that name"},
	CheckOther:       {"other", nil, ""},
}

// String returns the label, or "check N".
func (c Check) String() string {
	if c < numChecks {
		return checks[c].label
	}
	return "check " + strconv.Itoa(int(c))
}

// known returns c, or CheckOther in place of a number that is no check's.
func (c Check) known() Check { return min(c, CheckOther) }

// CheckOf returns the check that failed with err: CheckNone for nil, and CheckOther if err matches
// no error of this package.
func CheckOf(err error) Check {
	if err == nil {
		return CheckNone
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Check
	}
	for c := CheckOther - 1; c > CheckNone; c-- { // ErrLife and ErrGroup before ErrClaims, ErrMalformed as form
		if checks[c].err != nil && errors.Is(err, checks[c].err) && (checks[c].err != ErrMalformed || c == CheckForm) {
			return c
		}
	}
	return CheckOther
}

// Label returns the label of the check that failed with err, and for CheckClaim a space and the
// claim's name after it: "claim sub". It comes from a fixed set, whatever the token contains, so it
// fits audit lines and names of counters.
func Label(err error) string {
	e, ok := errors.AsType[*Error](err)
	if ok && e.Check == CheckClaim && e.Claim != "" {
		return e.Check.String() + " " + e.Claim
	}
	return CheckOf(err).String()
}
