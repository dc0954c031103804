package revocation_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
)

// "OnApplied … is called for each record of another process that has come into force": once each, and
// not for what this process has published.
func TestOnApplied(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, own := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		here, _ := publisher(t, revocation.PublisherConfig{Key: own, Dir: t.TempDir(), Carrier: b.Carrier()})
		var mu sync.Mutex
		var told []time.Duration
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{
			Trusted: []revocation.Trusted{central(key), match("here", own)}, Carrier: b.Carrier(), Sink: server, Own: here,
			OnApplied: func(published time.Time) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, time.Since(published))
			},
		})
		within(t, 2*time.Second, "whole", func() bool { return !s.Status().Stale })
		append1(t, p, subject("one"), subject("two"))
		append1(t, here, ban("cheat"))
		within(t, time.Second, "in force", func() bool { return server.revokedSubject("two") && server.banned("cheat") })
		time.Sleep(time.Minute) // everything is announced again
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 2 || slices.Max(told) > 50*time.Millisecond || slices.Min(told) < -time.Millisecond {
			t.Errorf("told of %v", told)
		}
	})
}
