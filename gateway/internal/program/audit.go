package program

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/sallyport/sallyport/audit"
)

// auditFile is the file of -audit.
type auditFile struct {
	*audit.JSON

	path string // constant

	mu sync.Mutex
	// +checklocks:mu
	file *os.File
}

// openAudit appends to a file, or returns nil if path is empty.
func openAudit(path string) (*auditFile, error) {
	if path == "" {
		return nil, nil
	}
	file, err := openLines(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write -audit: %w", err)
	}
	a := &auditFile{path: path, file: file}
	if a.JSON, err = audit.NewJSON(a, audit.JSONConfig{}); err != nil {
		file.Close() //nolint:errcheck // err says more
		return nil, err
	}
	return a, nil
}

func openLines(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// sink is what decisions go to; nil if there is no file.
func (a *auditFile) sink() audit.Sink {
	if a == nil {
		return nil
	}
	return a
}

// Write writes a line of the sink.
func (a *auditFile) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Write(b)
}

// reopen goes on in a new file of the same name.
func (a *auditFile) reopen(log *slog.Logger) {
	if a == nil {
		return
	}
	file, err := openLines(a.path)
	if err != nil {
		log.Error("audit file kept", "error", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file.Close() //nolint:errcheck // each line has been written already
	a.file = file
}

// end writes what is queued and closes the file.
func (a *auditFile) end() {
	if a == nil {
		return
	}
	a.Close() //nolint:errcheck // it counts what it could not write
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file.Close() //nolint:errcheck // each line has been written already
}
