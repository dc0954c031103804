package token

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/internal/bucket"
)

// RemoteKeys is a KeySet that an identity provider publishes (RFC 7517): a JWKS endpoint. It is
// safe for concurrent use.
//
//	Key(kid) ── known and young enough ──▶ the key; no lock, no clock but for the age
//	    │
//	    ├─ a fetch just showed its absence ▶ ErrUnknownKey, at once, for 30 s
//	    ├─ the last fetch failed ─────────▶ ErrUnavailable, at once; the next one is in the background
//	    ├─ a fetch is in progress ────────▶ wait for it with all the others, look again
//	    ├─ the budget is spent ───────────▶ ErrUnavailable, at once
//	    └─ otherwise ─────────────────────▶ fetch
//
// The first fetch is Hydrate's or the first token's. From then on a timer fetches in the
// background, so that in ordinary times no player waits. When the provider cannot be reached the
// keys stay good for MaxAge, and it is asked again after 1 s, 2 s and so on up to a minute; until
// then no caller waits for it, so that tokens with invented key ids do not occupy the goroutines
// that verify. An answer without a single usable key counts as a failure.
//
// A fetch for an unknown key id is paid from the budget; a fetch that fails is free. A sender of
// invented ids can exhaust the budget, but thereby has the set fetched, and tokens whose keys are
// known are not delayed.
type RemoteKeys struct {
	config   RemoteConfig // complete, constant
	made     time.Time    // constant; the budget counts from it by the monotonic clock
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup // fetches; Close waits
	snapshot atomic.Pointer[snapshot]

	mu sync.Mutex // held for a few operations in memory, never across a fetch
	// +checklocks:mu
	flight *flight // the fetch under way, or nil
	// +checklocks:mu
	budget bucket.Bucket // of fetches for unknown keys, in ns since made
	// +checklocks:mu
	absent *aging.Map[time.Time] // names that a fetch has shown not to exist, and when to forget each
	// +checklocks:mu
	failures int // in a row
	// +checklocks:mu
	retry time.Time // not before, after a failure
	// +checklocks:mu
	timer *time.Timer // of the next background fetch, or nil
	// +checklocks:mu
	stats RemoteStats
	// +checklocks:mu
	closed bool
}

// RemoteStats counts since NewRemoteKeys.
type RemoteStats struct {
	Keys    int       // names of keys in the set, now
	Fetched time.Time // time of the last successful fetch, or zero
	Failing time.Time // time of the first failed fetch since then, or zero

	Fetches  uint64 // finished, successful or not
	Failures uint64 // of them, failed
	Waited   uint64 // calls of Key that waited for a fetch
	Unknown  uint64 // calls of Key for which there was no such key
	Refused  uint64 // calls of Key that were told to come again without a fetch: budget spent, or endpoint down
}

// A snapshot is the result of one successful fetch. It does not change.
type snapshot struct {
	keys *StaticKeys
	ends time.Time // not trusted from then on
}

// NewRemoteKeys returns a set that has not fetched anything yet. Errors match ErrConfig.
func NewRemoteKeys(config RemoteConfig) (*RemoteKeys, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	r := &RemoteKeys{
		config: config, made: time.Now(), absent: aging.New[time.Time](maxAbsent),
		budget: bucket.New(bucket.Every(config.UnknownEvery, config.UnknownBurst), 0),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Key returns the key named kid, or the set's only key when kid is empty. It waits for a fetch at
// most, and no longer than ctx. It returns ErrUnknownKey when a fetch that began after the call, or
// one just before it, did not bring the key, and ErrUnavailable when no fetch could be made: the
// endpoint is down, the budget is spent, ctx is done, or the set is closed.
func (r *RemoteKeys) Key(ctx context.Context, kid string) (Key, error) {
	if k, ok := r.known(kid); ok {
		return k, nil
	}
	return r.miss(ctx, kid)
}

// known looks kid up in the fetched keys.
func (r *RemoteKeys) known(kid string) (Key, bool) {
	s := r.fresh()
	if s == nil {
		return Key{}, false
	}
	k := s.keys.find(kid)
	return k, k.material != nil
}

// fresh returns the set that is trusted now, or nil.
func (r *RemoteKeys) fresh() *snapshot {
	if s := r.snapshot.Load(); s != nil && time.Now().Before(s.ends) {
		return s
	}
	return nil
}

// Hydrate makes the first fetch, so that no player waits for it. It returns nil if there are keys,
// otherwise the error that OnFetch receives or, soon after a failure and without another attempt,
// ErrUnavailable. Without Hydrate the first token triggers the fetch. A transport.Server lets few
// tokens wait at once, so hydrate before it listens.
func (r *RemoteKeys) Hydrate(ctx context.Context) error {
	r.mu.Lock()
	if r.fresh() != nil {
		r.mu.Unlock()
		return nil
	}
	f, err := r.board("")
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return f.wait(ctx)
}

// Stats returns the counts.
func (r *RemoteKeys) Stats() RemoteStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	if set := r.fresh(); set != nil {
		s.Keys = len(set.keys.keys)
	}
	return s
}

// Close stops background fetches, cancels the one in progress and returns when nothing runs any
// more. Known keys remain valid until their MaxAge, so that connected players can renew while a
// server drains; other keys fail with ErrUnavailable. Close returns nil, however often it is
// called.
func (r *RemoteKeys) Close() error {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
	return nil
}
