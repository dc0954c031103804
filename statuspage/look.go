package statuspage

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// looker looks at the server for all who ask, one time at once and not more often than lookEvery:
// however many ask, a turn does the work of one.
type looker struct {
	config Config // constant

	mu sync.Mutex
	// +checklocks:mu
	newest *look // the last one, or the one under way; nil before the first
	// +checklocks:mu
	failing time.Time // begin of the first look that has failed since the last turn; zero without
	// +checklocks:mu
	watching bool // watch runs
}

// look is one look at the server.
type look struct {
	begun time.Time     // constant
	done  chan struct{} // closed once the rest is there
	state *state
	err   error // of Visit

	panel sync.Once // asks for state.Panel: a health check does not depend on it
}

// over reports whether a look is old enough for another one.
func (k *look) over(now time.Time) bool {
	if k == nil {
		return true
	}
	select {
	case <-k.done:
		return now.Sub(k.begun) >= lookEvery
	default:
		return false
	}
}

// look returns the newest look, which it may have to wait for, lookTime at most.
func (l *looker) look() *look {
	l.mu.Lock()
	k := l.newest
	mine := k.over(time.Now())
	if mine {
		k = &look{begun: time.Now(), done: make(chan struct{})}
		l.newest = k
	}
	l.mu.Unlock()
	if !mine {
		<-k.done
		return k
	}
	defer close(k.done)
	k.state, k.err = l.config.see()
	l.note(k)
	return k
}

// note keeps since when looks fail.
func (l *looker) note(k *look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.err == nil {
		l.failing = time.Time{}
		return
	}
	if l.failing.IsZero() {
		l.failing = k.begun
	}
	if !l.watching {
		l.watching = true
		go l.watch()
	}
}

// watch waits for the server's next turn, and forgets that looks have failed: whoever looks once a
// minute must not take two short stalls for one that has lasted a minute.
func (l *looker) watch() {
	err := l.config.Server.Visit(context.Background(), func(*transport.Player) bool { return false })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watching = false
	if err == nil {
		l.failing = time.Time{}
	}
}

// see looks at the server.
func (c *Config) see() (*state, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	now := time.Now()
	players := make([]player, 0, maxShown)
	err := c.Server.Visit(ctx, func(p *transport.Player) bool {
		if len(players) < maxShown {
			players = append(players, c.row(p, now))
		}
		return len(players) < maxShown
	})
	return &state{Time: now.UnixMilli(), Acts: c.Authorize != nil, Stalled: err != nil, Stats: c.Server.Stats(), Players: players, Bans: c.bans()}, err
}

// ServeHTTP is GET /state.
func (l *looker) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	k := l.look()
	if p := l.config.Panel; p != nil && p.Data != nil {
		k.panel.Do(func() { k.state.Panel = p.Data() })
	}
	writeJSON(w, k.state)
}

// ready is GET /ready.
func (l *looker) ready(w http.ResponseWriter, _ *http.Request) {
	ready := l.look().err == nil && (l.config.Ready == nil || l.config.Ready() == nil)
	answer(w, ready, "ready")
}

// live is GET /live.
func (l *looker) live(w http.ResponseWriter, _ *http.Request) {
	err := l.look().err
	l.mu.Lock()
	failing := l.failing
	l.mu.Unlock()
	dead := errors.Is(err, transport.ErrServerClosed) || err != nil && !failing.IsZero() && time.Since(failing) >= deadTime
	answer(w, !dead, "live")
}

// answer answers a health check: 200 or 503, and nothing that a stranger may not know.
func answer(w http.ResponseWriter, yes bool, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !yes {
		w.WriteHeader(http.StatusServiceUnavailable)
		word = "not " + word
	}
	io.WriteString(w, word+"\n") //nolint:errcheck // the prober has gone
}
