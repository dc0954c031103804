package statuspage

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// "However many ask, a turn does the work of one": and not more often than lookEvery.
func TestLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		h := readOnly(t, func(c *Config) { c.Server = s })
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { ask(h, "GET", "/state", "", nil) })
		}
		all.Wait()
		if s.visits != 1 {
			t.Errorf("%d looks at once", s.visits)
		}
		time.Sleep(lookEvery - 1)
		ask(h, "GET", "/state", "", nil)
		if s.visits != 1 {
			t.Errorf("%d looks before it is time", s.visits)
		}
		time.Sleep(time.Nanosecond)
		ask(h, "GET", "/state", "", nil)
		if s.visits != 2 {
			t.Errorf("%d looks, want another one", s.visits)
		}
	})
}

// frozen takes no turn until turn is closed.
type frozen struct {
	server
	turn chan struct{}
}

func (f *frozen) Visit(ctx context.Context, visit func(*transport.Player) bool) error {
	select {
	case <-f.turn:
		return f.server.Visit(ctx, visit)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// "/live: 200, or 503 once the server has stood still for 30 s or is closed", "/ready: 200, or 503 if
// the server takes no turn within a second".
func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		want := func(h http.Handler, live, ready int) {
			t.Helper()
			if w := ask(h, "GET", "/live", "", nil); w.Code != live {
				t.Errorf("/live: %d %s", w.Code, w.Body)
			}
			if w := ask(h, "GET", "/ready", "", nil); w.Code != ready {
				t.Errorf("/ready: %d %s", w.Code, w.Body)
			}
		}
		want(readOnly(t), 200, 200)
		want(readOnly(t, func(c *Config) { c.Ready = func() error { return errors.New("secret") } }), 200, 503)
		want(readOnly(t, func(c *Config) { c.Server = &server{err: transport.ErrServerClosed} }), 503, 503)

		f := &frozen{turn: make(chan struct{})}
		defer close(f.turn)
		h := readOnly(t, func(c *Config) { c.Server = f })
		began := time.Now()
		if w := ask(h, "GET", "/state", "", nil); w.Code != 200 || time.Since(began) != lookTime {
			t.Errorf("/state of a server that stands still: %d after %v", w.Code, time.Since(began))
		}
		time.Sleep(deadTime - 2*lookTime - 1)
		want(h, 200, 503)
		want(h, 503, 503)
	})
}

// "Has stood still for 30 s": a server that has stood still for a second now and then has not, though
// nobody has looked in between.
func TestShortStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &frozen{}
		h := readOnly(t, func(c *Config) { c.Server = f })
		for range 3 {
			f.turn = make(chan struct{})
			if w := ask(h, "GET", "/live", "", nil); w.Code != 200 {
				t.Errorf("/live: %d", w.Code)
			}
			close(f.turn)
			time.Sleep(2 * deadTime)
			synctest.Wait()
		}
	})
}

// A health check does not depend on what the game draws.
func TestHealthWithoutPanel(t *testing.T) {
	t.Parallel()
	h := readOnly(t, func(c *Config) { c.Panel = &Panel{Data: func() any { panic("the game's") }} })
	for _, path := range []string{"/live", "/ready"} {
		if w := ask(h, "GET", path, "", nil); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
