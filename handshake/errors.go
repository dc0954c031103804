package handshake

import "errors"

var (
	// ErrConfig means that no handshake was begun with this Config.
	ErrConfig = errors.New("handshake: unusable configuration")

	// ErrFailed means that a handshake did not come about.
	ErrFailed = errors.New("handshake: failed")
)

// failure is ErrFailed with its cause, which its text leaves out: the peer has a hand in that.
type failure struct{ cause error }

// Failure returns an error that matches ErrFailed and cause. Its text does not quote the cause, which for an
// operator's eyes is in the chain: errors.As finds x509 errors, errors.Is those of a context.
func Failure(cause error) error { return failure{cause} }

func (failure) Error() string { return ErrFailed.Error() }

func (f failure) Unwrap() []error {
	if f.cause == nil {
		return []error{ErrFailed}
	}
	return []error{ErrFailed, f.cause}
}
