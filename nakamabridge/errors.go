package nakamabridge

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// Errors that callers can match.
var (
	// ErrConfig is returned by New; the text after the colon names the reason.
	ErrConfig = errors.New("nakamabridge: configuration refused")
	// ErrIdentity means that issuer and subject make no custom id.
	ErrIdentity = errors.New("nakamabridge: identity refused")
	// ErrUnknown means that no such player has signed in here by an identity token.
	ErrUnknown = errors.New("nakamabridge: unknown player")
	// ErrUnavailable means that Nakama could not read the account: try again.
	ErrUnavailable = errors.New("nakamabridge: the account could not be read")
)

// Errors of the hooks and the RPC: gRPC codes, and texts that clients receive as they are.
var (
	errRequest     = runtime.NewError("nakamabridge: bad request", 3)
	errMetadata    = runtime.NewError("nakamabridge: too much metadata", 3)
	errNoMatch     = runtime.NewError("nakamabridge: no such match", 5)
	errNoBridge    = runtime.NewError("nakamabridge: this match is not behind a bridge", 9)
	errDenied      = runtime.NewError("nakamabridge: not allowed", 7)
	errInternal    = runtime.NewError("nakamabridge: internal error", 13)
	errUnavailable = runtime.NewError("nakamabridge: try again later", 14)
	errRefused     = runtime.NewError("nakamabridge: identity token refused", 16)
	errSession     = runtime.NewError("nakamabridge: session required", 16)
)

// verdicts are how those of Nakama's errors begin that say that there is no such account, or that it
// is banned. By text: gRPC, whose statuses the first two are, is nothing that a plugin has to link.
var verdicts = []string{
	"rpc error: code = NotFound", "rpc error: code = PermissionDenied", // of AuthenticateCustom
	"account not found", "invalid user id", // of AccountGetId
}

// accountError is what an error of Nakama's says of an account. Any that is no verdict is the
// database's, or the caller's context that has ended.
func accountError(err error) error {
	if slices.ContainsFunc(verdicts, func(begin string) bool { return strings.HasPrefix(err.Error(), begin) }) {
		return ErrUnknown
	}
	return ErrUnavailable
}

// errScope refuses a scope that is not the token's match.
var errScope = errors.New("nakamabridge: another scope")

// refusals are the causes that may be logged: fixed texts, none of which quotes the token.
var refusals = []error{
	token.ErrMalformed, token.ErrIssuer, token.ErrAlgorithm, token.ErrLife, token.ErrGroup, // these two match ErrClaims
	token.ErrClaims, token.ErrAudience, token.ErrExpired,
	token.ErrNotYetValid, token.ErrUnknownKey, token.ErrUnavailable, token.ErrSignature,
	context.DeadlineExceeded, context.Canceled, ErrIdentity,
}

// cause is the part of a verifier's error that is known to be harmless.
func cause(err error) error {
	if e, ok := errors.AsType[*token.Error](err); ok {
		return e
	}
	for _, known := range refusals {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("refused by the verifier")
}

// detail is what the audit says of a verifier's error: the label of the check that has failed.
func detail(err error) string {
	if token.CheckOf(err) == token.CheckOther {
		return "identity token refused"
	}
	return "identity token refused: " + token.Label(err)
}

// answerTo maps a verifier's error to the client's answer and the operator's reason.
func answerTo(err error) (*runtime.Error, audit.Drop) {
	switch {
	case errors.Is(err, token.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errUnavailable, audit.DropUnavailable
	case errors.Is(err, token.ErrExpired):
		return errRefused, audit.DropExpired
	}
	return errRefused, audit.DropToken
}
