package flood

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// alone keeps whatever else runs on this machine off a processor until restore is called, but for the
// threads of a process and what the kernel has bound there. It needs root, or CAP_SYS_NICE, and returns
// how many threads it has moved.
func alone(processor, pid int) (moved int, restore func()) {
	before := map[int]unix.CPUSet{}
	for _, id := range threads(pid) {
		var set unix.CPUSet
		if unix.SchedGetaffinity(id, &set) != nil || !set.IsSet(processor) || set.Count() == 1 {
			continue
		}
		others := set
		others.Clear(processor)
		if unix.SchedSetaffinity(id, &others) == nil { // it may have ended, or be bound
			before[id] = set
		}
	}
	return len(before), func() {
		for id, set := range before {
			unix.SchedSetaffinity(id, &set) //nolint:errcheck // it may have ended
		}
	}
}

// threads returns the ids of all threads but those of a process and of this one.
func threads(but int) (ids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*") //nolint:errcheck // the pattern is good
	for _, folder := range folders {
		id, err := strconv.Atoi(filepath.Base(folder))
		pid, err2 := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(folder))))
		if err == nil && err2 == nil && pid != but && pid != os.Getpid() {
			ids = append(ids, id)
		}
	}
	return ids
}
