package metrics

import (
	"strconv"
	"sync"
	"time"
)

// operations are the names of calls that have series: the first maxOperations. The rest is others.
type operations struct {
	mu sync.Mutex
	// +checklocks:mu
	known map[string]bool
}

// label returns the name of a call as a label.
func (o *operations) label(name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.known[name]:
		return name
	case name == "" || len(o.known) >= maxOperations:
		return others
	case o.known == nil:
		o.known = make(map[string]bool)
	}
	o.known[name] = true
	return name
}

// AdminCall counts a call of the admin API: its operation, empty for an unknown one, the HTTP
// status that it was answered with, and how long it took. It is for the API's configuration. Names
// of operations must not come from the caller: at most 32 have series of their own.
func (m *Metrics) AdminCall(operation string, status int, took time.Duration) {
	code := others
	if status >= 100 && status <= 599 {
		code = strconv.Itoa(status)
	}
	m.calls.WithLabelValues(m.operations.label(operation), code).Observe(took.Seconds())
}
