package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// counted says how often the key set was asked, and can change its mind.
type counted struct {
	mu  sync.Mutex
	key Key
	err error
	n   int
}

func (c *counted) Key(context.Context, string) (Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.key, c.err
}

func countedVerifier() (*Verifier, *counted) {
	p := profiles()[0]
	set := &counted{key: must(NewPublicKey("es", ES256, &ecKey().PublicKey))}
	p.Keys = set
	return must(NewVerifier(p)), set
}

func (c *cache) len() (n int) {
	for i := range c.sets {
		for j := range c.sets[i] {
			if c.sets[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}

// "never more than once per distinct token": a hit gives the claims that were read when the signature was checked.
func TestCacheHit(t *testing.T) {
	v := newVerifier()
	for name, forge := range everyForm {
		raw := forge().String()
		first, err := verify(t, v, raw)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := verify(t, v, raw); err != nil || again != first {
			t.Errorf("%s: second time %p, %v, want %p", name, again, err, first)
		}
	}
}

// "only verified tokens enter": whatever is refused leaves nothing behind.
func TestCacheOnlyVerified(t *testing.T) {
	v := newVerifier()
	for _, r := range rules() {
		for _, bad := range r.refuse {
			verify(t, v, bad.token.String())
		}
	}
	if n := v.cache.len(); n != 0 {
		t.Errorf("%d tokens remembered, want none", n)
	}
}

// What HELLO cannot carry is shown once, by HTTP: the cache keeps none of it, so that its memory stays bounded.
func TestCacheLong(t *testing.T) {
	for length, want := range map[int]int{MaxLen: 1, MaxLen + 1: 0, maxVerified: 0} {
		v := newVerifier()
		raw := ofLength(length).String()
		must(verify(t, v, raw))
		must(verify(t, v, raw))
		if n := v.cache.len(); n != want {
			t.Errorf("%d bytes: %d tokens remembered", length, n)
		}
	}
}

// "expiry still checked each time", and everything else that time can change.
func TestCacheTimes(t *testing.T) {
	v := newVerifier()
	raw := []byte(game().String())
	for _, step := range []struct {
		at   time.Duration
		want error
	}{
		{0, nil}, {599 * time.Second, nil}, {600 * time.Second, ErrExpired}, {time.Hour, ErrExpired}, {-1, ErrNotYetValid}, {1, nil},
	} {
		if _, err := v.Verify(t.Context(), now.Add(step.at), raw); !errors.Is(err, step.want) {
			t.Errorf("at %v: %v, want %v", step.at, err, step.want)
		}
	}
}

// A withdrawn key takes its tokens along, and one that replaces it under the same name does not inherit them.
func TestCacheKeyWithdrawn(t *testing.T) {
	v, set := countedVerifier()
	raw := game().String()
	mine := set.key
	for _, step := range []struct {
		what string
		key  Key
		err  error
		want error
	}{
		{"first", mine, nil, nil},
		{"cached", mine, nil, nil},
		{"withdrawn", Key{}, ErrUnknownKey, ErrUnknownKey},
		{"unreachable", Key{}, fmt.Errorf("dial tcp: %w", context.DeadlineExceeded), ErrUnavailable},
		{"wrapped", Key{}, fmt.Errorf("set: %w", ErrUnknownKey), ErrUnknownKey},
		{"neither key nor error", Key{}, nil, ErrUnavailable},
		{"replaced", must(NewPublicKey("es", ES256, &otherKey().PublicKey)), nil, ErrSignature},
		{"replaced by another algorithm", must(NewSecretKey("es", []byte(secret))), nil, ErrAlgorithm},
		{"fetched again", must(NewPublicKey("es", ES256, &ecKey().PublicKey)), nil, nil},
	} {
		set.key, set.err = step.key, step.err
		_, err := verify(t, v, raw)
		if !errors.Is(err, step.want) || err != nil && strings.Contains(err.Error(), "dial") { // the key set's own text must not come through
			t.Errorf("%s: %v, want %v", step.what, err, step.want)
		}
	}
	if n := v.cache.len(); n != 1 {
		t.Errorf("%d entries for one token", n)
	}
}

// A token that will be refused anyway costs no key fetch.
func TestRefusalAsksForNoKey(t *testing.T) {
	v, set := countedVerifier()
	for _, f := range []*forgery{
		game().with("exp", now.Unix()), game().with("aud", "x"), game().head("alg", "none"), game().with("sub", ""),
	} {
		verify(t, v, f.String())
	}
	if set.n != 0 {
		t.Errorf("key set asked %d times", set.n)
	}
}

// "xxhash64 finds the entry; a full comparison decides."
func TestCacheCollision(t *testing.T) {
	c := newCache()
	c.add(7, []byte("one"), verified{claims: &Claims{Subject: "one"}})
	if got := c.find(7, []byte("two")); got != nil {
		t.Errorf("another token of the same hash found %q", got.claims.Subject)
	}
	if got := c.find(7, []byte("one")); got == nil {
		t.Error("the token itself was not found")
	}
}

// "bounded": a full set gives up what expires first, and nothing else.
func TestCacheFull(t *testing.T) {
	c := newCache()
	for i := range cacheWays + 1 {
		expires := now.Add(time.Duration((i+3)%cacheWays) * time.Second) // cacheWays-3 expires first
		c.add(uint64(i)*cacheSets, fmt.Append(nil, i), verified{claims: &Claims{Expires: expires}})
	}
	for i := range cacheWays + 1 {
		if got, want := c.find(uint64(i)*cacheSets, fmt.Append(nil, i)) != nil, i != cacheWays-3; got != want {
			t.Errorf("token %d: found %v, want %v", i, got, want)
		}
	}
	for i := range 2 * cacheSets * cacheWays {
		c.add(uint64(i), fmt.Append(nil, i), verified{claims: &Claims{Expires: now}})
	}
	if got, want := c.len(), cacheSets*cacheWays; got != want {
		t.Errorf("%d entries, want %d", got, want)
	}
}

// "It keeps no reference to raw."
func TestCacheCopies(t *testing.T) {
	v := newVerifier()
	raw := []byte(game().String())
	was := string(raw)
	first, err := v.Verify(t.Context(), now, raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if _, err := verify(t, v, string(raw)); !errors.Is(err, ErrMalformed) {
		t.Errorf("cleared: %v", err)
	}
	if c, err := verify(t, v, was); err != nil || c != first || c.Subject != "player-1" {
		t.Errorf("after the caller's buffer was cleared: %+v, %v, want a hit", c, err)
	}
}

func TestConcurrent(t *testing.T) {
	v := newVerifier()
	var good, bad []string
	for _, forge := range everyForm {
		good, bad = append(good, forge().String()), append(bad, forge().with("exp", now.Unix()).String())
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if _, err := v.Verify(t.Context(), now, []byte(good[i%len(good)])); err != nil {
					t.Error(err)
				}
				if _, err := v.Verify(t.Context(), now, []byte(bad[i%len(bad)])); !errors.Is(err, ErrExpired) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// What a bearer token costs in every datagram: no allocation.
func TestNoAllocs(t *testing.T) {
	v := newVerifier()
	raw := []byte(game().String())
	ctx := t.Context()
	verified := func() {
		if _, err := v.Verify(ctx, now, raw); err != nil {
			t.Fatal(err)
		}
	}
	verified()
	if n := testing.AllocsPerRun(100, verified); n != 0 {
		t.Errorf("cached: %v allocations", n)
	}
	long := make([]byte, MaxLen+1)
	if n := testing.AllocsPerRun(100, func() { v.Verify(ctx, now, long) }); n != 0 {
		t.Errorf("too long: %v allocations", n)
	}
}
