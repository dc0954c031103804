package nakama

import (
	"sync"
	"time"
)

// reach is whether Nakama answers.
type reach struct {
	suspect chan struct{} // of capacity 1: somebody has seen a fault

	mu sync.Mutex
	// +checklocks:mu
	away bool
	// +checklocks:mu
	failures int // probes in a row
	// +checklocks:mu
	back time.Time // when it came back last
	// +checklocks:mu
	here chan struct{} // closed when it comes back; of now, if it is not away
}

func (r *reach) init() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspect, r.here = make(chan struct{}, 1), make(chan struct{})
	close(r.here)
}

func (r *reach) isAway() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away
}

// since returns when Nakama came back last, and what is closed once it is here.
func (r *reach) since() (back time.Time, here <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.back, r.here
}

// doubt asks for a probe soon.
func (r *reach) doubt() {
	select {
	case r.suspect <- struct{}{}:
	default:
	}
}

// note takes the outcome of a probe. Two failures in a row mean that Nakama is away, because one
// answer may be late on a busy machine; at the beginning one is enough.
func (r *reach) note(now time.Time, ok, first bool) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		r.failures = 0
		if !r.away {
			return false
		}
		r.away, r.back = false, now
		close(r.here)
		return true
	}
	r.failures++
	if r.away || r.failures < 2 && !first {
		return false
	}
	r.away, r.here = true, make(chan struct{})
	return true
}

// probe looks at Nakama's health until the backend closes.
func (b *Backend) probe() {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-ticker.C:
		case <-b.reach.suspect:
		}
		b.look(false)
	}
}

// look asks once.
func (b *Backend) look(first bool) {
	err := b.api.healthy(b.ctx)
	if b.ctx.Err() != nil || !b.reach.note(time.Now(), err == nil, first) {
		return
	}
	if err != nil { // the gateway puts the same into the audit
		b.log.Error("nakama: the server does not answer", "error", err)
	} else {
		b.log.Info("nakama: the server answers again")
	}
}
