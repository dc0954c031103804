//go:build linux

package main

import (
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// sample is the state of a process at one moment. Times are in ns.
type sample struct {
	At, User, System       int64
	Switches               int64 // times that it went to sleep
	Mallocs                uint64
	Resident               uint64 // bytes
	Goroutines             int
	Received, Sent, Failed uint64
	Handshakes             uint64
	P50, P99               float64 // µs of round trip, since the sample before
}

// cpu is the process's processor time in ns.
func (s *sample) cpu() int64 { return s.User + s.System }

func takeSample(n *counters) (*sample, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return nil, err
	}
	resident, err := residentBytes()
	s := &sample{
		At: time.Now().UnixNano(), User: usage.Utime.Nano(), System: usage.Stime.Nano(), Switches: int64(usage.Nvcsw),
		Mallocs: memory.Mallocs, Resident: resident, Goroutines: runtime.NumGoroutine(),
		Received: n.received.Load(), Sent: n.sent.Load(), Failed: n.failed.Load(), Handshakes: n.handshakes.Load(),
	}
	s.P50, s.P99 = n.delays.take()
	return s, err
}

func residentBytes() (uint64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseUint(strings.Fields(string(b))[1], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// histogram counts times by size: eight steps for each doubling. It is safe for
// concurrent use.
type histogram [64 * 8]atomic.Uint32

func (h *histogram) add(ns int64) {
	v := uint64(max(ns, 8))
	e := bits.Len64(v) - 4 // three bits behind the leading one
	h[e<<3|int(v>>e)&7].Add(1)
}

// take returns the median and the 99th percentile in µs, and begins anew.
func (h *histogram) take() (p50, p99 float64) {
	var counts [len(h)]uint64
	var total, seen uint64
	for i := range h {
		counts[i] = uint64(h[i].Swap(0))
		total += counts[i]
	}
	for i, n := range counts {
		if seen += n; n == 0 {
			continue
		}
		µs := float64(uint64(8|i&7)<<(i>>3)) / 1e3
		if p50 == 0 && 2*seen >= total {
			p50 = µs
		}
		if 100*seen >= 99*total {
			return p50, µs
		}
	}
	return 0, 0
}

// machineBusy is the time in ns that all processors together have worked.
func machineBusy() int64 {
	b, _ := os.ReadFile("/proc/stat") // zero, if the kernel hides it
	line, _, _ := strings.Cut(string(b), "\n")
	var busy int64
	for i, f := range strings.Fields(line) {
		if ticks, err := strconv.ParseInt(f, 10, 64); err == nil && i <= 7 && i != 4 && i != 5 { // neither idle nor iowait
			busy += ticks * int64(time.Second) / 100
		}
	}
	return busy
}
