package netsim

import (
	"errors"
	"fmt"
)

// ErrConfig is matched by every error about an Impairment. The text after the colon names the field.
var ErrConfig = errors.New("netsim: bad configuration")

// ErrAddress is matched by the errors about an address that cannot be bound: it is invalid,
// unspecified or taken.
var ErrAddress = errors.New("netsim: address cannot be bound")

// configError returns ErrConfig with a detail.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
