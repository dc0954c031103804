//go:build unix

package revocation

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockDir takes the lock of a directory. The kernel gives it back when the process ends, however it
// does.
func lockDir(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, storeError("cannot make the lock", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: another process has the directory open: end it, or give each publisher a directory and a key of its own", ErrStore)
	}
	return nil, storeError("cannot lock the directory; is it on a local disk?", err)
}
