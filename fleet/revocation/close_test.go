package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
)

// Close may come at any time, several times at once, beside everything else: what was published stays
// so, and what was not says why.
func TestCloseDuringEverything(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		b := revocationtest.NewBroker(uint64(round))
		b.Disturb(revocationtest.Faults{Lose: 0.2, Repeat: 0.2, Hold: 0.2})
		key := revocation.GenerateSigningKey()
		config := revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier(), Heartbeat: 2 * time.Millisecond, Announce: 5 * time.Millisecond}
		p, err := revocation.OpenPublisher(config)
		if err != nil {
			t.Fatal(err)
		}
		server := newSink()
		s, err := revocation.NewSubscriber(revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Own: p, Carrier: b.Carrier(), Sink: server})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var everything sync.WaitGroup
		everything.Go(func() { _ = p.Run(ctx) })
		everything.Go(func() { _ = s.Run(ctx) })
		var published sync.Map
		for i := range 4 {
			everything.Go(func() {
				for n := 0; ; n++ {
					name := fmt.Sprint(i, " ", n)
					if _, err := p.Append(ban(name)); errors.Is(err, revocation.ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
					published.Store(name, true)
					p.Enqueue(subject(name))
					_, _ = p.Stats(), s.Status()
				}
			})
		}
		time.Sleep(time.Duration(round*10) * time.Millisecond)
		for range 3 {
			everything.Go(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		if round%2 == 0 {
			cancel()
		}
		time.Sleep(5 * time.Millisecond)
		cancel()
		everything.Wait()
		if err := p.Close(); err != nil {
			t.Errorf("once more: %v", err)
		}

		again, _ := publisher(t, config)
		fresh := newSink()
		f, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Own: again, Carrier: b.Carrier(), Sink: fresh})
		within(t, 20*time.Second, "whole", func() bool { return !f.Status().Stale })
		count := 0
		published.Range(func(name, _ any) bool {
			count++
			if !fresh.banned(name.(string)) {
				t.Errorf("round %d: %s was published, and is not in force", round, name)
			}
			return true
		})
		t.Logf("round %d: %d bans", round, count)
	}
}
