//go:build linux

package doctor

import (
	"errors"
	"syscall"
)

// Of linux/udp.h and linux/timex.h.
const (
	solUDP     = 17
	udpSegment = 103
	udpGRO     = 104
	timeError  = 5 // the clock is not synchronised
)

// offload asks the kernel for both on a socket, as the server does.
func offload() (send, receive bool, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, false, err
	}
	defer syscall.Close(fd) //nolint:errcheck // nothing was written
	_, err = syscall.GetsockoptInt(fd, solUDP, udpSegment)
	return err == nil, syscall.SetsockoptInt(fd, solUDP, udpGRO, 1) == nil, nil
}

// synced asks the kernel about its clock, which it adjusts for a daemon that keeps the time.
func synced() (bool, error) {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return false, errUnknown // in a container
	}
	return state != timeError, err
}

// room returns how much a user who is not root may still write to the file system of dir.
func room(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// files returns how many files this process may open.
func files() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return l.Cur, nil
}
