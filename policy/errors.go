package policy

import (
	"errors"
	"fmt"
)

// ErrConfig is returned for a configuration that cannot work. The text after the colon says what to mend.
var ErrConfig = errors.New("policy: bad configuration")

// because adds what is wrong, a fixed text, to ErrConfig.
func because(what string) error { return fmt.Errorf("%w: %s", ErrConfig, what) }
