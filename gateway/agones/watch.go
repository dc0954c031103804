package agones

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errSilent ends a watch that has said nothing for too long.
var errSilent = errors.New("agones: the watch says nothing")

// Watch calls f with the GameServer as it is, and again each time that the SDK server tells of it, until
// ctx is done or the watch breaks; then it returns why. f is called by one goroutine, and holds the watch
// up. A silent SDK server is asked for the GameServer every 30 s; while it answers, the watch goes on.
func (c *Client) Watch(ctx context.Context, f func(*GameServer)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answer, err := c.send(ctx, http.MethodGet, "/watch/gameserver", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if answer.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		return statusError(answer.StatusCode, b)
	}
	lines, failed := make(chan []byte), make(chan error, 1)
	go func() { failed <- readLines(ctx, answer.Body, lines) }()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case line := <-lines:
			g, err := parseUpdate(line)
			if err != nil {
				return err
			}
			g.at = time.Now()
			f(g)
		case err := <-failed:
			return fmt.Errorf("%w: the watch has ended: %w", ErrUnanswered, err)
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			g, err := c.GameServer(ctx)
			if err != nil {
				return fmt.Errorf("%w: %w", errSilent, err)
			}
			f(g)
		}
		quiet.Reset(silence)
	}
}

// readLines reads lines until the body ends. The error is never nil.
func readLines(ctx context.Context, body io.Reader, lines chan<- []byte) error {
	s := bufio.NewScanner(body)
	s.Buffer(make([]byte, 0, 4096), maxAnswer)
	for s.Scan() {
		if len(s.Bytes()) == 0 {
			continue
		}
		select {
		case lines <- append([]byte(nil), s.Bytes()...):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return io.EOF
}

// parseUpdate reads a line of the watch.
func parseUpdate(line []byte) (*GameServer, error) {
	var j struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Status  int    `json:"http_code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if e := j.Error; e != nil {
		return nil, &StatusError{e.Status, e.Code, e.Message[:min(len(e.Message), maxMessage)]}
	}
	return parseGameServer(j.Result)
}

// backoff is how long to wait after failures in a row.
type backoff struct {
	wait time.Duration
	most time.Duration
}

// next returns how long to wait now.
func (b *backoff) next() time.Duration {
	b.wait = min(max(2*b.wait, retryFirst), b.most)
	return b.wait
}

// reset begins anew, after success.
func (b *backoff) reset() { b.wait = 0 }

// pause waits, and reports false if ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
