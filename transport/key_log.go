package transport

import (
	"io"
	"sync"

	"github.com/sallyport/sallyport/audit"
)

// keyLog hands the lines of a key log to a writer, one call at a time. The engines call it, in the
// goroutines of their handshakes.
type keyLog struct {
	panicked func() // called once; constant

	mu sync.Mutex
	w  io.Writer // io.Discard once it has panicked
}

// newKeyLog returns nil for a nil writer.
func newKeyLog(w io.Writer, panicked func()) io.Writer {
	if w == nil {
		return nil
	}
	return &keyLog{w: w, panicked: panicked}
}

// Write implements io.Writer. It never fails: neither a handshake nor the process depends on a log.
// A writer that has panicked is not called again.
func (l *keyLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if writePanics(l.w, line) {
		l.w = io.Discard
		l.panicked()
	}
	return len(line), nil
}

func writePanics(w io.Writer, line []byte) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	_, _ = w.Write(line)
	return false
}

// warnOfKeyLog has an alarm in the audit of a server whose traffic others may read.
func warnOfKeyLog(s *Server) {
	if s.config.KeyLog != nil {
		s.audit.now(audit.Event{
			Decision: audit.Alarm,
			Detail:   "key log is on: whoever reads it reads all traffic",
		})
	}
}
