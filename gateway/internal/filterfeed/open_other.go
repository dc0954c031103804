//go:build !linux

package filterfeed

import (
	"errors"
	"log/slog"
)

const supported = false

// open is not called: Check has refused the flag.
func open(string, uint16, *slog.Logger) (source, error) { return nil, errors.ErrUnsupported }
