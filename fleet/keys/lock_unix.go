//go:build unix

package keys

import (
	"os"
	"syscall"
)

// lock takes the lock that belongs to a file, for the life of the process or until release, unless
// another process has it.
func lock(path string) (release func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errLocked
	}
	return func() { _ = f.Close() }, nil
}
