package nakamabridge

import (
	"fmt"
	"strings"
	"sync"
)

// lines is a Logger that remembers.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Info(format string, v ...any)  { l.add(format, v) }
func (l *lines) Warn(format string, v ...any)  { l.add(format, v) }
func (l *lines) Error(format string, v ...any) { l.add(format, v) }

func (l *lines) add(format string, v []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, format+"\n", v...)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
