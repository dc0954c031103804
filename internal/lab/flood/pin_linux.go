package flood

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// startOn starts a program on one processor.
func startOn(processor int, command *exec.Cmd) error {
	runtime.LockOSThread() // a child has the affinity of the thread that makes it
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(processor)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	err := command.Start()
	if back := unix.SchedSetaffinity(0, &before); err == nil {
		err = back
	}
	return err
}

// stayOn keeps all of this process's threads on one processor, those to come included.
func stayOn(processor int) error {
	var one unix.CPUSet
	one.Set(processor)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &one); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}
