//go:build !unix

package added

import (
	"errors"
	"time"
)

// cpu fails: this measurement is for Unix.
func cpu() (time.Duration, error) {
	return 0, errors.New("added: this system does not tell how much CPU time a process has used")
}
