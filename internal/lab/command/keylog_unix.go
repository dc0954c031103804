//go:build unix

package command

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func openOwn(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.ENXIO): // a link, a pipe
		return nil, fmt.Errorf("%s: %w", path, errOther)
	case err != nil:
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		system, ok := info.Sys().(*syscall.Stat_t)
		if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || !ok || int(system.Uid) != os.Geteuid() || system.Nlink != 1 {
			err = fmt.Errorf("%s: %w", path, errOther)
		}
	}
	if err != nil {
		file.Close() //nolint:errcheck // err says more
		return nil, err
	}
	return file, nil
}
