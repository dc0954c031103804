package transport

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// job is an identity token that waits for its verification.
type job struct {
	raw  []byte
	now  time.Time
	from netip.Addr // who has shown it
	done func(*token.Claims, error)
}

// verifications runs a Verifier in a fixed number of goroutines, behind a bounded
// queue: a signature costs 150 µs. Who waits for a key does not count as one of
// them:
//
//	queue ──▶ worker ── key at hand ──▶ done
//	             │
//	             ├── about to wait, and there is room, in all and for its source: it is parked,
//	             │   and another worker takes its place ──▶ done, within parkTime
//	             └── else ──▶ session.ErrBusy
//
// A Verifier that does not say when it is about to wait is believed to after verifyPatience.
type verifications struct {
	verifier Verifier // constant
	queue    chan job
	parked   atomic.Int64
	sources  *sources.Sources // of those parked
	wg       sync.WaitGroup   // workers and parked; close waits
}

func newVerifications(ctx context.Context, v Verifier, workers int) *verifications {
	p := &verifications{verifier: v, queue: make(chan job, verifyQueue), sources: sources.New(policy.SourceConfig{
		PerSecond: maxParkings, Burst: maxParkings, Unproven: maxParkedEach, MaxSources: 16 * maxParked,
	})}
	for range workers {
		p.wg.Go(func() { p.work(ctx) })
	}
	return p
}

// work is a worker, until ctx is done or another one has taken its place.
func (p *verifications) work(ctx context.Context) {
	for goesOn := true; goesOn; {
		select {
		case <-ctx.Done():
			return
		case j := <-p.queue:
			goesOn = p.verify(ctx, j)
		}
	}
}

// submit reports whether there was room.
func (p *verifications) submit(j job) bool {
	select {
	case p.queue <- j:
		return true
	default:
		return false
	}
}

// verify verifies a token, and reports whether its caller is still a worker.
func (p *verifications) verify(all context.Context, j job) bool {
	ctx, cancel := context.WithTimeout(all, parkTime)
	defer cancel()
	w := &parking{of: p, job: &j, replace: func() { p.work(all) }}
	timer := time.AfterFunc(verifyPatience, func() {
		if w.begin() != nil {
			cancel()
		}
	})
	claims, err := p.verifier.Verify(token.WithWait(ctx, w.begin), j.now, j.raw)
	timer.Stop()
	parked, refused := w.end()
	if err != nil && (refused || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		err = machine.ErrKeysWait // cut short: the token may be good
	}
	j.done(claims, err)
	return !parked
}

// parking is a verification that may come to wait.
type parking struct {
	of      *verifications // constant
	job     *job           // constant
	replace func()         // what the one does that takes the worker's place; constant

	mu sync.Mutex
	// +checklocks:mu
	over, parked, refused bool
	// +checklocks:mu
	claim *sources.Claim
}

// begin parks the verification. Without room it returns session.ErrBusy; when it has been
// parked before, or is over, nothing happens.
func (w *parking) begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.of
	if w.over || w.parked {
		return nil
	}
	w.refused = true
	if p.parked.Add(1) > maxParked {
		p.parked.Add(-1)
		return session.ErrBusy
	}
	if w.claim = p.sources.Claim(w.job.now, w.job.from); w.claim == nil {
		p.parked.Add(-1)
		return session.ErrBusy
	}
	w.refused, w.parked = false, true
	p.wg.Go(w.replace)
	return nil
}

// end gives its place back, and says whether it had one and whether it was refused one.
func (w *parking) end() (parked, refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.parked {
		w.claim.Release()
		w.of.parked.Add(-1)
	}
	return w.parked, w.refused
}
