package main

import (
	"fmt"
	"os"

	"github.com/sallyport/sallyport/audit"
)

// openAudit appends to a file, or keeps nothing if path is empty. end writes what is queued and closes the file; it may
// be called after an error too.
func openAudit(path string) (sink audit.Sink, end func(), err error) {
	end = func() {}
	if path == "" {
		return nil, end, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, end, fmt.Errorf("cannot write -audit: %w", err)
	}
	lines, err := audit.NewJSON(file, audit.JSONConfig{})
	if err != nil {
		file.Close() //nolint:errcheck // err says more
		return nil, end, err
	}
	return lines, func() { lines.Close(); file.Close() }, nil //nolint:errcheck // lines counts what it could not write
}
