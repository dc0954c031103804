package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/internal/lab/command"
)

// auditFile is the file of -audit. It is opened again on SIGHUP, when it has been renamed.
type auditFile struct {
	*audit.JSON
	path string // constant

	mu sync.Mutex
	// +checklocks:mu
	file *os.File
}

// openAudit appends to a file, or returns nil if path is empty. With a file of a key the lines are a chain, which goes on
// from the last line that is there.
func openAudit(path, key string) (t *auditFile, err error) {
	if path == "" {
		return nil, nil
	}
	t = &auditFile{path: path}
	if t.file, err = openTrail(path); err != nil {
		return nil, fmt.Errorf("cannot write -audit: %w", err)
	}
	config := audit.JSONConfig{}
	if config.Chain, err = chained(t.file, key); err == nil {
		t.JSON, err = audit.NewJSON(t, config)
	}
	if err != nil {
		t.file.Close() //nolint:errcheck // err says more
		return nil, err
	}
	return t, nil
}

func openTrail(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
}

// chained is the chain of -audit-key, nil without one.
func chained(file *os.File, key string) (*audit.ChainConfig, error) {
	if key == "" {
		return nil, nil
	}
	text, err := os.ReadFile(key)
	if err != nil {
		return nil, fmt.Errorf("cannot read -audit-key: %w", err)
	}
	signer, err := chain.ParseSigner(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use -audit-key %s: %w", key, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read -audit: %w", err)
	}
	end, err := chain.Last(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("cannot read -audit: %w", err)
	}
	return &audit.ChainConfig{Signer: signer, After: end}, nil
}

// sink is what the server writes to; nil if there is no file.
func (t *auditFile) sink() audit.Sink {
	if t == nil {
		return nil
	}
	return t
}

// Write writes a line of the sink.
func (t *auditFile) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.file.Write(b)
}

// reopen goes on in a new file of the same name. Where it cannot be opened, the lines go on as they are.
func (t *auditFile) reopen(log *slog.Logger) {
	if t == nil {
		return
	}
	file, err := openTrail(t.path)
	if err != nil {
		log.Error("audit file kept", "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.file.Close() //nolint:errcheck // each line has been written already
	t.file = file
	log.Info("audit file opened again")
}

// end writes what is queued and closes the file.
func (t *auditFile) end() {
	if t == nil {
		return
	}
	t.Close() //nolint:errcheck // it counts what it could not write
	t.mu.Lock()
	defer t.mu.Unlock()
	t.file.Close() //nolint:errcheck // each line has been written already
}

// openKeyLog opens the file for the secrets of connections, nil if path is empty. end closes it; it may be called after
// an error too.
func openKeyLog(path string, log *slog.Logger) (w io.Writer, end func(), err error) {
	end = func() {}
	if path == "" {
		return nil, end, nil
	}
	file, err := command.OpenKeyLog(path)
	if err != nil {
		return nil, end, err
	}
	log.Warn("key log is on: whoever reads it reads all traffic", "file", path)
	return file, func() { file.Close() }, nil //nolint:errcheck // each line has been written already
}
