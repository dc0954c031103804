//go:build unix

package transport

import (
	"errors"
	"os"
	"syscall"
)

// openRegular opens a regular file for reading, and nothing else: no link is followed, so that nobody can point at a file
// that is not theirs, and no pipe or device keeps the server waiting. The error is errNoFile for those.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.ENXIO): // a link, a socket
		return nil, errNoFile
	case err != nil:
		return nil, err
	}
	return regular(f)
}
