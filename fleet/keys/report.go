package keys

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// reporter tells the operator.
type reporter struct {
	log   *slog.Logger
	audit audit.Sink

	mu sync.Mutex
	// +checklocks:mu
	last time.Time // line about a refusal
	// +checklocks:mu
	skipped int // refusals since then
}

// note is one line in log and audit: keys change seldom.
func (r *reporter) note(n note) {
	decision := audit.KeyRotation
	level := slog.LevelInfo
	if n.alarm {
		decision, level = audit.Alarm, slog.LevelWarn
	}
	if r.log != nil {
		r.log.Log(context.Background(), level, "fleet keys: "+n.text, n.args...)
	}
	if r.audit != nil {
		r.audit.Record(audit.Event{Decision: decision, Detail: n.text})
	}
}

// refused is for what may be repeated without end: one line in ten seconds.
func (r *reporter) refused(text string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.skipped++
	if now := time.Now(); r.last.IsZero() || now.Sub(r.last) >= logEvery {
		if r.log != nil {
			r.log.Warn("fleet keys: "+text, "error", err, "times", r.skipped)
		}
		if r.audit != nil {
			r.audit.Record(audit.Event{Decision: audit.Alarm, Detail: text})
		}
		r.last, r.skipped = now, 0
	}
}
