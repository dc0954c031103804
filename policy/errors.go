package policy

import (
	"errors"
	"fmt"
)

// ErrConfig is returned for a configuration that cannot work. The text after the colon names the
// fields and their bounds.
var ErrConfig = errors.New("policy: bad configuration")

// configError returns ErrConfig with a detail.
func configError(detail string) error { return fmt.Errorf("%w: %s", ErrConfig, detail) }
