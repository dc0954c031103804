package token

import (
	"context"
	"time"
)

// A flight is a fetch in progress. Callers that need it wait for landed; err is set by then.
type flight struct {
	landed chan struct{}
	paid   bool // from the budget
	err    error
}

// wait returns the flight's outcome, or ErrUnavailable if ctx is done first: the fetch continues
// for the others.
func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.landed:
		return f.err
	case <-ctx.Done():
		return ErrUnavailable
	}
}

// miss is Key for a key id that is not in the set.
func (r *RemoteKeys) miss(ctx context.Context, kid string) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := r.flight == nil // the next flight begins after this call, so its outcome is conclusive
	for ; ; began = true {
		if k, ok := r.known(kid); ok { // the flight has just landed
			return k, nil
		}
		f, err := r.board(kid)
		if err == nil && r.failures > 0 {
			err = ErrUnavailable
		}
		if err != nil {
			return Key{}, r.count(err)
		}
		r.stats.Waited++
		r.mu.Unlock()
		if err = AboutToWait(ctx); err == nil {
			err = f.wait(ctx)
		}
		r.mu.Lock()
		if k, ok := r.known(kid); ok {
			return k, nil
		}
		if err != nil {
			return Key{}, ErrUnavailable
		}
		if began {
			r.absent.Put(kid, time.Now().Add(absentLife))
			return Key{}, r.count(ErrUnknownKey)
		}
	}
}

// count counts a call of Key that fails with err, and returns err.
//
// +checklocks:r.mu
func (r *RemoteKeys) count(err error) error {
	if err == ErrUnknownKey {
		r.stats.Unknown++
	} else {
		r.stats.Refused++
	}
	return err
}

// board returns the flight in progress, or starts one if kid justifies it.
//
// +checklocks:r.mu
func (r *RemoteKeys) board(kid string) (*flight, error) {
	now, set := time.Now(), r.fresh()
	switch {
	case set != nil && (hopeless(kid) || r.isAbsent(kid, now)):
		return nil, ErrUnknownKey
	case r.flight != nil:
		return r.flight, nil
	case r.closed || now.Before(r.retry):
		return nil, ErrUnavailable
	case set != nil && !r.budget.Take(int64(now.Sub(r.made))):
		return nil, ErrUnavailable
	}
	return r.depart(set != nil), nil
}

// isAbsent reports whether a recent fetch has shown that there is no key named kid.
//
// +checklocks:r.mu
func (r *RemoteKeys) isAbsent(kid string, now time.Time) bool {
	until, ok := r.absent.Get(kid)
	return ok && now.Before(until)
}

// hopeless reports whether no fetch can bring a key named kid: the id is empty or too long.
func hopeless(kid string) bool { return kid == "" || len(kid) > maxKeyID }

// depart starts a fetch.
//
// +checklocks:r.mu
func (r *RemoteKeys) depart(paid bool) *flight {
	f := &flight{landed: make(chan struct{}), paid: paid}
	r.flight = f
	r.wg.Go(func() { r.fly(f) })
	return f
}

// fly fetches, and records the outcome.
func (r *RemoteKeys) fly(f *flight) {
	start := time.Now()
	keys, life, err := r.fetch()
	if r.config.OnFetch != nil {
		n := 0
		if err == nil {
			n = len(keys.keys)
		}
		r.config.OnFetch(Fetch{time.Since(start), n, err})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f.err = err
	if err == nil {
		r.arrive(start, keys, life)
	} else {
		r.fail(f)
	}
	r.flight = nil
	close(f.landed)
}

// arrive installs the keys of a fetch that began at start. Their age counts from then, because an
// answer may be slow.
//
// +checklocks:r.mu
func (r *RemoteKeys) arrive(start time.Time, keys *StaticKeys, life time.Duration) {
	if old := r.snapshot.Load(); old != nil {
		keys.keep(old.keys)
	}
	r.snapshot.Store(&snapshot{keys, start.Add(r.config.MaxAge)})
	r.failures, r.retry = 0, time.Time{}
	r.stats.Fetches++
	r.stats.Fetched, r.stats.Failing = time.Now(), time.Time{}
	r.schedule(jitter(life))
}

// fail returns the token to the budget and backs off. Without keys that could become too old, the
// next token that needs one triggers the next fetch.
//
// +checklocks:r.mu
func (r *RemoteKeys) fail(f *flight) {
	if f.paid {
		r.budget.Return()
	}
	wait := jitter(min(minBackoff<<min(r.failures, 16), maxBackoff))
	if r.failures++; r.failures == 1 {
		r.stats.Failing = time.Now()
	}
	r.retry = time.Now().Add(wait)
	r.stats.Fetches++
	r.stats.Failures++
	if r.snapshot.Load() != nil {
		r.schedule(wait)
	}
}

// schedule starts the next background fetch after wait.
//
// +checklocks:r.mu
func (r *RemoteKeys) schedule(wait time.Duration) {
	if r.timer != nil {
		r.timer.Stop()
	}
	if !r.closed {
		r.timer = time.AfterFunc(wait, r.refresh)
	}
}

// refresh is the background fetch.
func (r *RemoteKeys) refresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight == nil && !r.closed {
		r.depart(false)
	}
}
