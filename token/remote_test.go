package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// A world is a provider, a set of its keys and a verifier, in a bubble.
type world struct {
	*testing.T
	idp      *testkit.IDP
	keys     *token.RemoteKeys
	verifier *token.Verifier
	fetches  []token.Fetch // the bubble's goroutines take turns around it
}

// inBubble runs f with fresh keys, which are fetched. change may alter how.
func inBubble(t *testing.T, change func(*token.RemoteConfig), f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, idp: testkit.NewIDP(t)}
		pool, err := token.NewCognito(w.idp.Cognito())
		if err != nil {
			t.Fatal(err)
		}
		p := pool.Profiles()[0]
		config := token.RemoteConfig{
			URL: p.Issuer + "/.well-known/jwks.json", Algorithm: token.RS256, Transport: w.idp,
			OnFetch: func(f token.Fetch) { w.fetches = append(w.fetches, f) },
		}
		if change != nil {
			change(&config)
		}
		if w.keys, err = token.NewRemoteKeys(config); err != nil {
			t.Fatal(err)
		}
		p.Keys = w.keys
		if w.verifier, err = token.NewVerifier(p); err != nil {
			t.Fatal(err)
		}
		f(w)
		if err := w.keys.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) verify(raw string) error {
	_, err := w.verifier.Verify(w.Context(), time.Now(), []byte(raw))
	return err
}

// want verifies raw and compares the error.
func (w *world) want(what, raw string, want error) {
	w.Helper()
	if err := w.verify(raw); !errors.Is(err, want) || (err == nil) != (want == nil) {
		w.Errorf("%s: %v, want %v", what, err, want)
	}
}

// wantFetches compares how many fetches there were since the start.
func (w *world) wantFetches(what string, want int) {
	w.Helper()
	if got := w.idp.Fetches(); got != want {
		w.Errorf("%s: %d fetches, want %d", what, got, want)
	}
}

// forged is a token whose key nobody has.
func (w *world) forged(kid string) string {
	return w.idp.Sign(w, w.idp.Claims("mallory"), map[string]any{"kid": kid})
}

// "503 for all": an endpoint that is down.
func down(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }

// "joined single flight": the first tokens of a server, all at once, cost one fetch.
func TestRemoteCold(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(100 * time.Millisecond)
		w.atOnce(500, "cold")
		w.wantFetches("cold", 1)
	})
}

// "500 concurrent sign-ins during a key rotation: one fetch, all succeed."
func TestRemoteRotation(t *testing.T) {
	players := 500
	if testing.Short() {
		players = 100
	}
	inBubble(t, nil, func(w *world) {
		w.want("before", w.idp.Token(w, "ann"), nil)
		old := w.idp.Token(w, "bob")
		w.idp.Latency(100 * time.Millisecond)
		w.idp.Rotate(w)
		w.atOnce(players, "rotated")
		w.wantFetches("rotated", 2)
		w.want("the old key is still published", old, nil)
		w.wantFetches("old key", 2)
	})
}

// atOnce signs n players in at the same instant, each of whom must get in.
func (w *world) atOnce(n int, name string) {
	w.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = w.idp.Token(w, fmt.Sprint(name, i))
	}
	var wg sync.WaitGroup
	for _, raw := range tokens {
		wg.Go(func() { w.want(name, raw, nil) })
	}
	wg.Wait()
}

// "10,000 forged kids: at most the budget's fetches, real players unaffected."
func TestRemoteForgedKids(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(100 * time.Millisecond)
		players := w.idp.Token(w, "ann")
		w.want("ann", players, nil)
		start := time.Now()
		unknown, unavailable := 0, 0
		for i := range 10_000 {
			switch _, err := w.keys.Key(w.Context(), fmt.Sprint("forged", i)); {
			case errors.Is(err, token.ErrUnknownKey):
				unknown++
			case errors.Is(err, token.ErrUnavailable):
				unavailable++
			}
			began := time.Now()
			if w.want("ann, during the attack", players, nil); time.Since(began) != 0 {
				w.Fatal("a player waited")
			}
		}
		w.wantFetches("attack", 1+token.DefaultUnknownBurst)
		if unknown != token.DefaultUnknownBurst || unavailable != 10_000-unknown {
			w.Errorf("%d unknown, %d unavailable", unknown, unavailable)
		}
		if d := time.Since(start); d != 300*time.Millisecond {
			w.Errorf("took %v: more than the three fetches", d)
		}
		// "1/10 s": what a rotation has to wait for at most, after an attack that goes on.
		w.idp.Rotate(w)
		rotated := w.idp.Token(w, "bob")
		w.want("bob, budget spent", rotated, token.ErrUnavailable)
		time.Sleep(token.DefaultUnknownEvery)
		w.want("bob, 10 s later", rotated, nil)
		if s := w.keys.Stats(); s.Refused != uint64(unavailable)+1 || s.Unknown != uint64(unknown) || s.Fetches != 5 || s.Keys != 3 {
			w.Errorf("%+v", s)
		}
	})
}

// 10,000 at once: those who come while a fetch is under way wait for it, and still only the budget is spent.
func TestRemoteForgedKidsAtOnce(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(100 * time.Millisecond)
		if err := w.keys.Hydrate(w.Context()); err != nil {
			w.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 10_000 {
			wg.Go(func() {
				if k, err := w.keys.Key(w.Context(), fmt.Sprint("forged", i)); err == nil {
					w.Errorf("got key %q", k.ID())
				}
			})
		}
		wg.Wait()
		if n := w.idp.Fetches(); n > 1+token.DefaultUnknownBurst {
			w.Errorf("%d fetches", n)
		}
	})
}

// "bounded negative kids": a name that a fetch did not bring is not asked for again, until a while has passed.
func TestRemoteAbsent(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		forged := w.forged("forged")
		for range 100 {
			w.want("forged", forged, token.ErrUnknownKey)
		}
		w.wantFetches("the first of all brought the set and showed that there is no such key", 1)
		time.Sleep(30*time.Second - 1)
		w.want("29.9 s later", forged, token.ErrUnknownKey)
		w.wantFetches("29.9 s later", 1)
		time.Sleep(time.Nanosecond)
		w.want("30 s later", forged, token.ErrUnknownKey)
		w.wantFetches("30 s later", 2)
	})
}

// Names that no key can have cost nothing: none, where there are two keys, and more than 256 bytes.
func TestRemoteHopeless(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.want("cold", w.idp.Token(w, "ann"), nil)
		for _, kid := range []string{"", strings.Repeat("k", 257)} {
			if _, err := w.keys.Key(w.Context(), kid); err != token.ErrUnknownKey {
				w.Errorf("%d bytes: %v", len(kid), err)
			}
		}
		w.wantFetches("hopeless", 1)
	})
}

// A key that is published while a fetch is under way, whose answer is older: who asks then is served by a second one.
func TestRemotePublishedMeanwhile(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.want("cold", w.idp.Token(w, "ann"), nil)
		before := w.idp.JWKS()
		w.idp.Latency(time.Second)
		w.idp.Answer(func(rw http.ResponseWriter, _ *http.Request) {
			w.idp.Answer(nil) // from the next request on
			rw.Write(before)  //nolint:errcheck // a recorder
		})
		var wg sync.WaitGroup
		wg.Go(func() { w.want("forged", w.forged("forged"), token.ErrUnknownKey) })
		time.Sleep(time.Millisecond)
		w.idp.Rotate(w)
		w.want("bob", w.idp.Token(w, "bob"), nil)
		wg.Wait()
		w.wantFetches("bob", 3)
	})
}

// "a context per caller": who gives up does not take the fetch along.
func TestRemoteCallersContext(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(time.Second)
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := w.keys.Key(ctx, "x"); err != token.ErrUnavailable || time.Since(start) != 10*time.Millisecond {
			w.Errorf("%v after %v", err, time.Since(start))
		}
		w.want("another caller", w.idp.Token(w, "ann"), nil)
		w.wantFetches("both", 1)
	})
}
