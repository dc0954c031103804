package transport

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// "Visit calls f for the players of the server, one at a time, until f returns false."
func TestVisit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	s := w.serve(func(c *Config) { c.Shards = 2 })
	var clients []*Client
	for i := range 5 {
		clients = append(clients, w.dial(i, quietClient))
	}
	seen := map[*Player]bool{} // without a lock: the race detector knows of two calls at once
	if err := s.Visit(t.Context(), func(p *Player) bool {
		seen[p] = p.Stats().Prefix.IsValid()
		return true
	}); err != nil || len(seen) != 5 {
		t.Errorf("%d players seen, %v", len(seen), err)
	}
	for p, known := range seen {
		if !known || p.Session().ID() == 0 {
			t.Error("a player without a network, or without an id")
		}
	}
	n := 0
	if err := s.Visit(t.Context(), func(*Player) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("%d calls, %v; want 2", n, err)
	}
	for _, c := range clients {
		c.Close() // while somebody answers
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Visit(t.Context(), func(*Player) bool { return true }); !errors.Is(err, ErrServerClosed) {
		t.Errorf("closed: %v", err)
	}
}

// "With the next Poll otherwise. If ctx ends before, it returns ctx's error […]; f is not called
// after Visit has returned."
func TestVisitPolled(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s, _ := w.polled(1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		calls := 0
		err := s.Visit(ctx, func(*Player) bool { calls++; return true })
		if !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("nobody polls: %v", err)
		}
		if _, err := s.Poll(w.match.handler()); err != nil || calls != 0 {
			w.Errorf("%d calls after Visit has returned, %v", calls, err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Visit(context.Background(), func(*Player) bool { calls++; return true }) }()
		synctest.Wait()
		if _, err := s.Poll(w.match.handler()); err != nil {
			w.Error(err)
		}
		if err := <-done; err != nil || calls != 1 {
			w.Errorf("%d calls, %v", calls, err)
		}
	})
}
