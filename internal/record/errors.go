package record

import "errors"

// Errors of this package. They say nothing of the input.
var (
	// ErrRecord is the only error for a record that does not open: drop it, the connection is
	// unharmed.
	ErrRecord = errors.New("record: record does not open")

	// ErrExhausted means that the keys have reached MaxRecords or MaxFailedOpens, or were wiped. It
	// is final.
	ErrExhausted = errors.New("record: keys are used up")

	// ErrTooLarge means a plaintext over MaxPlaintext.
	ErrTooLarge = errors.New("record: plaintext too large")

	// ErrSecrets means secrets that cannot protect records: an unknown suite, or a spent nonce that
	// the counter would reach again.
	ErrSecrets = errors.New("record: unusable secrets")
)
