//go:build !unix

package revocation

import (
	"fmt"
	"os"
)

// lockDir refuses: without a lock two processes could publish two histories.
func lockDir(string) (*os.File, error) {
	return nil, fmt.Errorf("%w: this system has no flock: run the publisher on Linux or another Unix", ErrStore)
}
