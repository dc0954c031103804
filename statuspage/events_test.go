package statuspage

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// log keeps its newest four lines.
type log struct {
	mu    sync.Mutex
	lines int
}

func (l *log) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines += n
}

func (l *log) Since(seq uint64) (lines [][]byte, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq > uint64(l.lines) {
		seq = 0
	}
	for i := max(int(seq), l.lines-4); i < l.lines; i++ {
		lines = append(lines, fmt.Appendf(nil, `{"n":%d}`, i))
	}
	return lines, uint64(l.lines)
}

func (l *log) Pseudonym(subject string) string { return "p-" + subject }

// recorder is a reader that takes everything at once, or with fail nothing.
type recorder struct {
	*httptest.ResponseRecorder
	fail bool
	mu   sync.Mutex
}

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func (r *recorder) Write(b []byte) (int, error) {
	if r.fail {
		return 0, context.DeadlineExceeded
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ResponseRecorder.Write(b)
}

// said is what was sent since the last call.
func (r *recorder) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.Body.String()
	r.Body.Reset()
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "|")
}

// listen opens a stream; end closes it and waits.
func listen(s *streams, lastID string) (out *recorder, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequestWithContext(ctx, "GET", "/events", nil)
	r.Header.Set("Last-Event-ID", lastID)
	out = &recorder{ResponseRecorder: httptest.NewRecorder()}
	done := make(chan struct{})
	go func() { s.ServeHTTP(out, r); close(done) }()
	synctest.Wait()
	return out, func() { cancel(); <-done }
}

// "First those that are kept, then new ones as they come; 'event: lost' says how many a slow reader has missed."
func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events := &log{lines: 6}
		out, end := listen(newStreams(events), "")
		defer end()
		pass := func(d time.Duration, want string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := out.said(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		pass(0, `: decisions||id: 3|data: {"n":2}||id: 4|data: {"n":3}||id: 5|data: {"n":4}||id: 6|data: {"n":5}`)
		pass(streamEvery, "")
		events.add(1)
		pass(streamEvery, `id: 7|data: {"n":6}`)
		events.add(6)
		pass(streamEvery, `event: lost|data: 2||id: 10|data: {"n":9}||id: 11|data: {"n":10}||id: 12|data: {"n":11}||id: 13|data: {"n":12}`)
		pass(streamIdle, "")
		pass(2*streamEvery, ":")
	})
}

// A reader that comes again goes on where it was, or begins anew if this is another process.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	for lastID, want := range map[string]string{
		"2":    `: decisions||id: 3|data: {"n":2}`,
		"3":    `: decisions`,
		"1000": `: decisions||id: 1|data: {"n":0}||id: 2|data: {"n":1}||id: 3|data: {"n":2}`,
		"junk": `: decisions||id: 1|data: {"n":0}||id: 2|data: {"n":1}||id: 3|data: {"n":2}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			out, end := listen(newStreams(&log{lines: 3}), lastID)
			defer end()
			if got := out.said(); got != want {
				t.Errorf("%s: got %s, want %s", lastID, got, want)
			}
		})
	}
}

// A reader that does not take what it is sent loses its stream, and its place goes to another.
func TestEventsSlowReader(t *testing.T) {
	t.Parallel()
	s := newStreams(&log{lines: 1})
	out := &recorder{ResponseRecorder: httptest.NewRecorder(), fail: true}
	s.ServeHTTP(out, httptest.NewRequest("GET", "/events", nil)) // returns
	if len(s.places) != 0 {
		t.Error("the place is not free again")
	}
}

// "maxStreams is how many readers of /events there are at once"
func TestEventsPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreams(&log{})
		for i := range maxStreams {
			out, end := listen(s, "")
			defer end()
			if out.Code != http.StatusOK {
				t.Errorf("reader %d: %d", i, out.Code)
			}
		}
		out, end := listen(s, "")
		defer end()
		if out.Code != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", out.Code)
		}
	})
}
