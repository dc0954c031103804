package flood

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// alone keeps whatever else runs on this machine off a processor until restore is called, but for this
// process and what the kernel has bound there. It needs root, or CAP_SYS_NICE, and returns how many
// threads it has moved. What begins meanwhile begins where its parent is, and is put back with it.
func alone(processor int) (moved int, restore func()) {
	before := map[int]unix.CPUSet{}        // of each thread
	wider := map[unix.CPUSet]unix.CPUSet{} // what moved threads were allowed, by what they were left
	for _, id := range othersThreads() {
		var set unix.CPUSet
		if unix.SchedGetaffinity(id, &set) != nil { // it has ended
			continue
		}
		before[id] = set
		if !set.IsSet(processor) || set.Count() == 1 {
			continue
		}
		rest := set
		rest.Clear(processor)
		if unix.SchedSetaffinity(id, &rest) == nil { // it may have ended, or be bound
			wider[rest] = set
			moved++
		}
	}
	return moved, func() {
		for _, id := range othersThreads() {
			set, known := before[id]
			if !known {
				var now unix.CPUSet
				if unix.SchedGetaffinity(id, &now) != nil {
					continue
				}
				if set, known = wider[now]; !known {
					continue
				}
			}
			unix.SchedSetaffinity(id, &set) //nolint:errcheck // it may have ended
		}
	}
}

// othersThreads returns the ids of all threads but those of this process.
func othersThreads() (ids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*") //nolint:errcheck // the pattern is good
	for _, folder := range folders {
		id, err := strconv.Atoi(filepath.Base(folder))
		pid, err2 := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(folder))))
		if err == nil && err2 == nil && pid != os.Getpid() {
			ids = append(ids, id)
		}
	}
	return ids
}
