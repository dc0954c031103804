//go:build unix

package gameserver

import "syscall"

// cpuMicroseconds is the CPU time of this process, nil if the system does not tell.
func cpuMicroseconds() *int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return nil
	}
	us := (u.Utime.Nano() + u.Stime.Nano()) / 1000
	return &us
}
