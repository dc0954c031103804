package revocation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// "If the Feed has not run, Close publishes what is queued, … and closes the store". The next one of the directory opens it, with all of it.
func TestFeedCloseBeforeRun(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		config := revocation.FeedConfig{Carrier: b.Carrier(), Trusted: w.trusted, Key: w.keys[0], Dir: t.TempDir()}
		before := uint64(0)
		for range 3 {
			f, err := revocation.NewFeed(config)
			if err != nil {
				t.Fatal("the directory is not free: ", err)
			}
			if n := f.PublisherStats().Last; n != before {
				t.Errorf("%d records are there, %d were published", n, before)
			}
			if err := f.Lift(w.issuer.Profile().Issuer, "alice"); err != nil {
				t.Fatal(err)
			}
			before = f.PublisherStats().Last
			for range 2 {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := f.Run(t.Context(), nil); !errors.Is(err, revocation.ErrClosed) {
				t.Errorf("Run after Close: %v", err)
			}
			if err := f.Lift(w.issuer.Profile().Issuer, "bob"); !errors.Is(err, revocation.ErrClosed) {
				t.Errorf("Lift after Close: %v", err)
			}
		}
		config.Key = revocation.SigningKey{}
		f, err := revocation.NewFeed(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("without a Key: %v", err)
		}
	})
}

// "Close ends Run, and returns when it has returned." Players go on playing.
func TestFeedCloseEndsRun(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		var config revocation.FeedConfig
		w.config = func(c *revocation.FeedConfig) { config = *c }
		h := w.host(revocation.KeepPlaying)
		within(t, 2*time.Second, "whole", func() bool { return !h.feed.Status().Stale })
		h.join("alice")
		within(t, time.Second, "playing", func() bool { return h.plays("alice") })
		for range 2 {
			if err := h.feed.Close(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(2 * time.Second)
		if !h.plays("alice") || h.reason("alice") != session.Reason(0) {
			t.Error("a player was put out because the feed was closed")
		}
		again, err := revocation.NewFeed(config)
		if err != nil {
			t.Fatal("the directory is not free: ", err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A publisher that has been closed does not run: not later, and not on.
func TestPublisherRunAfterClose(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		config := revocation.PublisherConfig{Key: revocation.GenerateSigningKey(), Dir: t.TempDir(), Carrier: b.Carrier()}
		for _, running := range []bool{false, true} {
			p, err := revocation.OpenPublisher(config)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			run := func() { ended <- p.Run(context.WithoutCancel(t.Context())) }
			if running {
				go run()
				time.Sleep(10 * time.Millisecond)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if !running {
				go run()
			}
			select {
			case err := <-ended:
				if !errors.Is(err, revocation.ErrClosed) {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("Run goes on without a store")
			}
		}
	})
}
