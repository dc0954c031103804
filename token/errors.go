package token

import (
	"errors"
	"fmt"
)

// Reasons why Verify refuses a token. The texts are fixed and quote nothing of the token; match
// with errors.Is.
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
