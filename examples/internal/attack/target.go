package attack

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/examples/internal/gameserver"
	"github.com/sallyport/sallyport/examples/internal/signin"
	"github.com/sallyport/sallyport/examples/internal/soak"
	"github.com/sallyport/sallyport/token"
)

// Target is a match server to attack.
type Target struct {
	soak.Match

	// Mint returns a fresh identity token; nil means that this server cannot be attacked.
	Mint func(ctx context.Context, g token.Grant) ([]byte, error)
	// Trail is what the server audits; nil for a server elsewhere, whose status address does not show it and whose
	// tokens cannot be bound to a certificate.
	Trail *Trail
}

// Embedded is a development server in this process, which records its decisions in trail.
func Embedded(s *gameserver.Server, dev *gameserver.Dev, trail *Trail) Target {
	return Target{
		Match: soak.Embedded(s, dev), Trail: trail,
		Mint: func(_ context.Context, g token.Grant) ([]byte, error) {
			t, err := dev.Issuer.Mint(time.Now(), g)
			return []byte(t), err
		},
	}
}

// Remote is a development server at addr that wrote f.
func Remote(addr string, f gameserver.File) (Target, error) {
	match, err := soak.Remote(addr, f)
	return Target{Match: match, Mint: func(ctx context.Context, g token.Grant) ([]byte, error) {
		q := url.Values{"subject": {g.Subject}, "scope": {g.Scope}, "platform": {g.Platform}, "build": {g.Build}}
		source, err := signin.URL(ctx, f.TokenURL+"?"+q.Encode())
		if err != nil {
			return nil, err
		}
		return source(ctx)
	}}, err
}

// Trail counts what a server audits, by decision and reason. It is safe for concurrent use; the zero Trail is ready.
type Trail struct {
	mu sync.Mutex
	// +checklocks:mu
	counts map[string]uint64
}

// Record is audit.Sink's.
func (t *Trail) Record(e audit.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]uint64{}
	}
	what := e.Decision.String()
	if e.Reason != audit.DropNone {
		what += " " + e.Reason.String()
	}
	t.counts[what]++
}

// snapshot is a copy; nil for a nil Trail.
func (t *Trail) snapshot() map[string]uint64 {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return more(nil, t.counts)
}

// more is what to counts and from does not.
func more(from, to map[string]uint64) map[string]uint64 {
	d := map[string]uint64{}
	for what, n := range to {
		if n > from[what] {
			d[what] = n - from[what]
		}
	}
	return d
}
