package gameserver

import (
	"runtime"

	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/transport"
)

// Stats counts what a server has done since it began, and what its whole process has spent on it.
type Stats struct {
	transport.Stats
	CPU     *int64  `json:"cpu_us"`  // user and system time in µs; null where the system does not tell
	Mallocs *uint64 `json:"mallocs"` // objects allocated
	Process Process `json:"process"` // as it is now
}

// Stats returns the counts so far. It stops the process for some microseconds.
func (s *Server) Stats() Stats {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return Stats{Stats: s.game.Stats(), CPU: cpuMicroseconds(), Mallocs: &mem.Mallocs, Process: process()}
}

// Add returns the sum of two processes, of which the second is the later one.
func (s Stats) Add(later Stats) Stats {
	sum := later
	sum.Drops, sum.Refusals = both(s.Drops, later.Drops), both(s.Refusals, later.Refusals)
	sum.SessionsPeak = max(s.SessionsPeak, later.SessionsPeak)
	sum.Received += s.Received
	sum.Sent += s.Sent
	sum.Handshakes.Started += s.Handshakes.Started
	sum.Handshakes.Completed += s.Handshakes.Completed
	sum.Handshakes.Failed += s.Handshakes.Failed
	sum.Handshakes.FailedBy = both(s.Handshakes.FailedBy, later.Handshakes.FailedBy)
	sum.CPU, sum.Mallocs = add(s.CPU, later.CPU), add(s.Mallocs, later.Mallocs)
	return sum
}

// both adds two counts by name, either of which may be nil.
func both(a, b tally.Counts) tally.Counts {
	sum := tally.Counts{}
	sum.Add(a)
	sum.Add(b)
	return sum
}

func add[N int64 | uint64](a, b *N) *N {
	if a == nil || b == nil {
		return b
	}
	n := *a + *b
	return &n
}
