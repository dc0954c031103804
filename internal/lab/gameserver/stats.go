package gameserver

import (
	"runtime"

	"github.com/sallyport/sallyport/transport"
)

// Stats is what a server has done since it began, and what its whole process has spent on it.
type Stats struct {
	transport.Stats
	CPU     *int64  `json:"cpu_us"`  // user and system time in µs; null where the system does not tell
	Mallocs *uint64 `json:"mallocs"` // objects allocated
}

// Stats counts. It stops the process for some microseconds.
func (s *Server) Stats() Stats {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return Stats{Stats: s.game.Stats(), CPU: cpuMicroseconds(), Mallocs: &mem.Mallocs}
}
