package tally

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// Trail counts what a server audits. It is a sink, and it reads the lines that others have kept. It is safe for
// concurrent use; the zero Trail is ready, and a nil one is empty.
type Trail struct {
	mu sync.Mutex
	// +checklocks:mu
	counts Counts // by decision and reason
	// +checklocks:mu
	sessions map[string]map[uint32]bool // by decision and detail
	// +checklocks:mu
	missing uint64
}

// Record is audit.Sink's.
func (t *Trail) Record(e audit.Event) {
	reason := ""
	if e.Reason != audit.DropNone {
		reason = e.Reason.String()
	}
	t.add(e.Decision.String(), reason, e.Detail, e.Session)
}

// line is the part of a line of audit.JSON or audit.Recent that a Trail reads.
type line struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	Time     int64  `json:"time"` // Unix ms
	Session  struct {
		UID string `json:"uid"`
	} `json:"session"`
	Unmapped struct {
		Suppressed uint64 `json:"suppressed"`
		Lost       uint64 `json:"lost"`
	} `json:"unmapped"`
}

// ReadFile counts the lines of an audit file. A last one that is still being written does not count.
func ReadFile(path string) (*Trail, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &Trail{}
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		if err := t.ReadLine(line, time.Time{}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// ReadLine counts a line, unless it is of before since.
func (t *Trail) ReadLine(text []byte, since time.Time) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("no line of an audit: %w", err)
	}
	if l.Time < since.UnixMilli() {
		return nil
	}
	t.Miss(l.Unmapped.Suppressed + l.Unmapped.Lost)
	if l.Decision != "" { // else it holds a tally only
		session, _ := strconv.ParseUint(l.Session.UID, 10, 32) // outside a session there is none: 0
		t.add(l.Decision, l.Reason, l.Message, uint32(session))
	}
	return nil
}

func (t *Trail) add(decision, reason, detail string, session uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts, t.sessions = Counts{}, map[string]map[uint32]bool{}
	}
	t.counts[join(decision, reason)]++
	what := join(decision, detail)
	if t.sessions[what] == nil {
		t.sessions[what] = map[uint32]bool{}
	}
	t.sessions[what][session] = true
}

// join puts a space between two words, unless the second is empty.
func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// Counts is a copy of how often there was each decision, with its reason behind if it has one, as in "reject used".
func (t *Trail) Counts() Counts {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counts{}
	c.Add(t.counts)
	return c
}

// Sessions is a copy of the ids of those whom a decision was about, with its detail behind if it has one, as in "close
// handed on to the next process".
func (t *Trail) Sessions(what string) map[uint32]bool {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.sessions[what])
}

// Miss notes that so many decisions may be missing.
func (t *Trail) Miss(n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missing += n
}

// Missing is how many decisions have no line, because there were too many.
func (t *Trail) Missing() uint64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missing
}
