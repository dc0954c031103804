package signals

import (
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/revocation"
)

// reporter tells the operator. Anybody may send a SET, so lines about refusals are bounded: one in
// ten seconds of each text, of which there are a fixed few.
type reporter struct {
	log   *slog.Logger
	audit audit.Sink

	mu sync.Mutex
	// +checklocks:mu
	last map[string]time.Time
}

// due reports whether a line of this text may be written again.
func (r *reporter) due(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.last[text]) < logEvery {
		return false
	}
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	r.last[text] = now
	return true
}

func (r *reporter) record(e audit.Event) {
	if r.audit != nil {
		r.audit.Record(e)
	}
}

// withdrawn is a revocation that is on disk.
func (r *reporter) withdrawn(kind string, of revocation.Record, transmitter string) {
	e := audit.Event{Decision: audit.Withdraw, Cause: kind, Issuer: of.Issuer, Detail: "by a security event of " + transmitter}
	if of.Kind == revocation.KindSubject {
		e.Subject = of.Value
	}
	r.record(e)
}

// alarm is what an operator should look at.
func (r *reporter) alarm(text, transmitter string) {
	if !r.due(text) {
		return
	}
	if r.log != nil {
		r.log.Warn("signals: "+text, "transmitter", transmitter)
	}
	r.record(audit.Event{Decision: audit.Alarm, Detail: "signals: " + text})
}

// refused is a SET that is not acknowledged.
func (r *reporter) refused(why *refusal) {
	if !r.due(why.text) {
		return
	}
	if r.log != nil {
		r.log.Warn("signals: an event was not acknowledged", "err", why.err, "because", why.text)
	}
	r.record(audit.Event{Decision: audit.Deny, Operation: "security event", Cause: why.cause, Detail: why.err})
}

// failed is a transmitter or a user pool that cannot be asked.
func (r *reporter) failed(text string, err error) {
	if !r.due(text) {
		return
	}
	if r.log != nil {
		r.log.Warn("signals: "+text, "error", err)
	}
	r.record(audit.Event{Decision: audit.Alarm, Detail: "signals: " + text})
}
