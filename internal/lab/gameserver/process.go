package gameserver

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
)

// Process is what the server's process holds. What the system does not tell is 0.
type Process struct {
	Goroutines  int   `json:"goroutines"`
	Heap        int64 `json:"heap"`        // bytes that lived at the last garbage collection
	Resident    int64 `json:"resident"`    // bytes of memory; Linux
	Descriptors int   `json:"descriptors"` // open; Linux
}

func process() Process {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	p := Process{Goroutines: runtime.NumGoroutine(), Resident: Resident(os.Getpid())}
	if live[0].Value.Kind() == metrics.KindUint64 {
		p.Heap = int64(live[0].Value.Uint64())
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.Descriptors = len(open) - 1 // that of the folder itself
	}
	return p
}

// Resident returns how much memory of a process is resident, in bytes; 0 if the system does not tell.
func Resident(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm") // its second field, in pages
	fields := bytes.Fields(b)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
