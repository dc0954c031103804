package token_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/token"
)

// "stale-on-error with a maximum age": an outage is not noticed for 24 h, then everybody is refused; the end of it is.
func TestRemoteOutage(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.want("before", w.idp.Token(w, "ann"), nil)
		w.idp.Answer(down)
		time.Sleep(token.DefaultMaxAge - time.Second)
		w.want("after almost a day", w.idp.Token(w, "ann"), nil)
		time.Sleep(time.Second)
		w.want("after a day", w.idp.Token(w, "ann"), token.ErrUnavailable)
		if s := w.keys.Stats(); s.Keys != 0 || s.Failures != s.Fetches-1 || s.Failures < 23*60 || s.Failures > 23*60*2 {
			w.Errorf("%+v: asked again each minute or so", s)
		}
		w.idp.Answer(nil)
		time.Sleep(time.Minute)
		w.want("afterwards", w.idp.Token(w, "ann"), nil)
	})
}

// "failed fetch costs no budget", "backs off with jitter", and after the first failure nobody waits.
func TestRemoteFailures(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.want("before", w.idp.Token(w, "ann"), nil)
		w.idp.Rotate(w)
		w.idp.Answer(down)
		w.idp.Latency(100 * time.Millisecond)
		rotated := w.idp.Token(w, "bob")
		start := time.Now()
		for range 1000 {
			w.want("down", rotated, token.ErrUnavailable)
		}
		if d := time.Since(start); d != 100*time.Millisecond {
			w.Errorf("1000 callers waited %v: only the first should", d)
		}
		w.wantFetches("down", 2)
		time.Sleep(10 * time.Second) // 1 s, 2 s, 4 s, each up to a tenth less
		w.wantFetches("10 s later", 5)
		w.idp.Answer(nil)
		time.Sleep(10 * time.Second)
		w.want("up again", rotated, nil)
		n := w.idp.Fetches()
		for i := range 10 {
			w.want("forged", w.forged(fmt.Sprint(i)), map[bool]error{true: token.ErrUnknownKey, false: token.ErrUnavailable}[i < 3])
		}
		w.wantFetches("the whole budget was there", n+3)
	})
}

// "failed fetch costs no budget": the one that found out about an outage was for an unknown key.
func TestRemoteFailureIsFree(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.want("before", w.idp.Token(w, "ann"), nil)
		w.idp.Answer(down)
		w.want("down", w.forged("x"), token.ErrUnavailable)
		w.idp.Answer(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		w.wantFetches("up again, in the background", 3)
		for i := range token.DefaultUnknownBurst {
			w.want("within the budget", w.forged(fmt.Sprint(i)), token.ErrUnknownKey)
		}
		w.want("spent", w.forged("y"), token.ErrUnavailable)
	})
}

// "the background refresh": once an hour at most, a tenth less at random, while nobody asks; a withdrawn key goes with it.
func TestRemoteRefresh(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		raw := w.idp.Token(w, "ann")
		w.want("before", raw, nil)
		w.idp.Rotate(w)
		w.idp.Withdraw()
		time.Sleep(54*time.Minute - 1)
		w.wantFetches("nine tenths of an hour", 1)
		time.Sleep(6*time.Minute + 1)
		synctest.Wait()
		w.wantFetches("an hour", 2)
		late := w.idp.Token(w, "bob")
		w.want("of the new key", late, nil)
		w.wantFetches("of the new key", 2)
		if _, err := w.keys.Key(w.Context(), w.idp.KeyIDs()[0]); err != nil {
			w.Error(err)
		}
		if s := w.keys.Stats(); s.Keys != 1 || s.Fetched.IsZero() {
			w.Errorf("%+v", s)
		}
		time.Sleep(10 * time.Hour)
		if n := w.idp.Fetches(); n < 12 || n > 14 {
			w.Errorf("%d fetches in 11 hours", n)
		}
		synctest.Wait()
		if len(w.fetches) != w.idp.Fetches() || w.fetches[0] != (token.Fetch{Keys: 2}) {
			w.Errorf("OnFetch was told of %d fetches, first %+v", len(w.fetches), w.fetches[0])
		}
	})
}

// A token that was verified before goes with its key.
func TestRemoteWithdrawn(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		claims := w.idp.Claims("ann")
		claims["exp"] = time.Now().Unix() + 3600
		raw := w.idp.Sign(w, claims, nil)
		w.want("before", raw, nil)
		w.idp.Answer(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=300")
			w.idp.Answer(nil)
			rw.Write(w.idp.JWKS()) //nolint:errcheck // a recorder
		})
		w.idp.Rotate(w)
		w.want("rotated", w.idp.Token(w, "bob"), nil)
		w.want("both published", raw, nil)
		w.idp.Withdraw()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		w.want("withdrawn", raw, token.ErrUnknownKey)
	})
}

// Keys that are known stay good after Close, the rest is ErrUnavailable, and nothing runs any more.
func TestRemoteClose(t *testing.T) {
	slowly := func(c *token.RemoteConfig) { c.OnFetch = func(token.Fetch) { time.Sleep(time.Second) } }
	inBubble(t, slowly, func(w *world) {
		w.want("before", w.idp.Token(w, "ann"), nil)
		w.idp.Latency(time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { w.want("under way", w.forged("x"), token.ErrUnavailable) })
		synctest.Wait()
		start := time.Now()
		w.keys.Close() //nolint:errcheck // always nil
		if d := time.Since(start); d != time.Second {
			w.Errorf("Close took %v: it cuts the fetch, and waits for OnFetch to return", d)
		}
		wg.Wait()
		w.keys.Close() //nolint:errcheck // again
		n := w.idp.Fetches()
		w.want("known", w.idp.Token(w, "ann"), nil)
		w.want("unknown", w.forged("y"), token.ErrUnavailable)
		time.Sleep(token.DefaultMaxAge - 2*time.Second - 1) // from the start of the first fetch
		w.want("known, almost a day later", w.idp.Token(w, "ann"), nil)
		time.Sleep(time.Nanosecond)
		w.want("too old", w.idp.Token(w, "ann"), token.ErrUnavailable)
		if err := w.keys.Hydrate(w.Context()); err != token.ErrUnavailable {
			w.Errorf("Hydrate: %v", err)
		}
		w.wantFetches("closed", n)
	})
}

// "Hydrate at start": an error that says what is wrong, and at once the same name for who asks too soon.
func TestRemoteHydrate(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Answer(down)
		err := w.keys.Hydrate(w.Context())
		if !errors.Is(err, token.ErrUnavailable) || err.Error() != "token: key set cannot be reached: status 503" {
			w.Errorf("down: %v", err)
		}
		if err := w.keys.Hydrate(w.Context()); err != token.ErrUnavailable {
			w.Errorf("too soon: %v", err)
		}
		w.wantFetches("too soon", 1)
		time.Sleep(time.Second)
		w.wantFetches("nobody asked, and no keys are there to lose", 1)
		w.idp.Answer(nil)
		for range 2 {
			if err := w.keys.Hydrate(w.Context()); err != nil {
				w.Errorf("up: %v", err)
			}
		}
		w.wantFetches("up", 2)
	})
}
