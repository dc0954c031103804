package statuspage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// streams is GET /events.
type streams struct {
	events Events
	places chan struct{} // one taken by each reader
}

func newStreams(events Events) *streams {
	return &streams{events: events, places: make(chan struct{}, maxStreams)}
}

func (s *streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		http.Error(w, "too many readers at once", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	seq, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	st := &stream{events: s.events, seq: seq, begun: err == nil, w: w, out: http.NewResponseController(w)}
	st.out.SetReadDeadline(time.Time{}) //nolint:errcheck // else a server's ReadTimeout ends the stream
	st.run(r.Context())                 //nolint:errcheck // the reader has gone, or was too slow
}

// stream sends the events to one reader.
type stream struct {
	events Events
	seq    uint64 // of the next line to send
	begun  bool   // what came before seq has been sent, so that a gap is a loss
	w      io.Writer
	out    *http.ResponseController
}

// run sends lines as they come, until the reader has gone.
func (s *stream) run(ctx context.Context) error {
	ticker := time.NewTicker(streamEvery)
	defer ticker.Stop()
	if err := s.write([]byte(": decisions\n\n")); err != nil {
		return err
	}
	for spoke := time.Now(); ; {
		sent, err := s.catchUp()
		if !sent && time.Since(spoke) > streamIdle {
			sent, err = true, s.write([]byte(":\n\n"))
		}
		if err != nil {
			return err
		}
		if sent {
			spoke = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// catchUp sends what has come since the last call, and reports whether that was anything.
func (s *stream) catchUp() (sent bool, err error) {
	lines, next := s.events.Since(s.seq)
	if next < s.seq { // numbered by another process: what this one has is all new
		s.seq, s.begun = 0, false
	}
	first := next - uint64(len(lines))
	var text []byte
	if lost := first - s.seq; s.begun && lost > 0 {
		text = fmt.Appendf(text, "event: lost\ndata: %d\n\n", lost)
	}
	for i, line := range lines {
		text = fmt.Appendf(text, "id: %d\ndata: %s\n\n", first+uint64(i)+1, line)
	}
	s.seq, s.begun = next, true
	if len(text) == 0 {
		return false, nil
	}
	return true, s.write(text)
}

// write sends text within streamWrite.
func (s *stream) write(text []byte) error {
	if err := s.out.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.out.Flush()
}
