package token_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/token"
)

// waits says how often Verify told that it was about to wait, and how long it took.
func (w *world) waits(raw string, refuse bool) (told int, took time.Duration, err error) {
	start := time.Now()
	_, err = w.verifier.Verify(token.WithWait(w.Context(), func() error {
		told++
		if time.Since(start) > 0 && told == 1 {
			w.Error("told after it had waited")
		}
		if refuse {
			return errors.New("no")
		}
		return nil
	}), time.Now(), []byte(raw))
	return told, time.Since(start), err
}

// Has whoever is about to wait for a key call wait first: every Verify that takes time says so beforehand, and no other one
// does.
func TestWithWait(t *testing.T) {
	const latency = 4 * time.Second
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(latency)
		want := func(what, raw string, want error, told int) {
			w.Helper()
			n, took, err := w.waits(raw, false)
			if n != told || took > 0 != (told > 0) || !errors.Is(err, want) || (err == nil) != (want == nil) {
				w.Errorf("%s: told %d times, took %v: %v, want %v", what, n, took, err, want)
			}
		}
		want("no keys yet", w.idp.Token(w, "ann"), nil, 1)
		want("a known key", w.idp.Token(w, "bob"), nil, 0)
		var wg sync.WaitGroup
		wg.Go(func() { want("an unknown key", w.forged("x"), token.ErrUnknownKey, 1) })
		time.Sleep(latency / 2)
		want("a known key, during a fetch", w.idp.Token(w, "eve"), nil, 0)
		want("another unknown key, during a fetch", w.forged("y"), token.ErrUnknownKey, 2)
		wg.Wait()
		want("a key that the fetch lacked", w.forged("x"), token.ErrUnknownKey, 0)
		for i := range token.DefaultUnknownBurst {
			w.verify(w.forged(fmt.Sprint(i))) //nolint:errcheck // it spends the budget
		}
		want("no budget", w.forged("z"), token.ErrUnavailable, 0)
	})
}

// If wait returns an error, nobody waits, and the key cannot be had
func TestWithWaitRefused(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(time.Second)
		raw := w.idp.Token(w, "ann")
		if told, took, err := w.waits(raw, true); told != 1 || took != 0 || !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("told %d times, took %v: %v", told, took, err)
		}
		time.Sleep(time.Second)
		synctest.Wait() // the fetch ends at the same instant
		if told, took, err := w.waits(raw, true); told != 0 || took != 0 || err != nil {
			t.Errorf("once the fetch is over: told %d times, took %v: %v", told, took, err)
		}
		if err := token.AboutToWait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// "A key id that the last fetch did not bring is refused at once for 30 s." PROTOCOL.md 12: while another fetch is under way,
// too.
func TestRemoteAbsentDuringFetch(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.idp.Latency(time.Second)
		w.want("before", w.forged("x"), token.ErrUnknownKey)
		var wg sync.WaitGroup
		wg.Go(func() { w.verify(w.forged("y")) }) //nolint:errcheck // it is on its way
		time.Sleep(time.Millisecond)
		if told, took, err := w.waits(w.forged("x"), false); told != 0 || took != 0 || !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("again: told %d times, took %v: %v", told, took, err)
		}
		wg.Wait()
	})
}
