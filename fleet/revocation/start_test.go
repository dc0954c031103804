package revocation_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// slowReading is a carrier that takes its time to read what one publisher has stored.
type slowReading struct {
	revocation.Carrier
	of revocation.PublisherID
	by time.Duration
}

func (l slowReading) Load(ctx context.Context, p revocation.PublisherID, from uint64, each func(revocation.StateKey, []byte) error) error {
	if p == l.of {
		time.Sleep(l.by)
	}
	return l.Carrier.Load(ctx, p, from, each)
}

// ending is a sink that remembers whose sessions a ban has ended.
type ending struct {
	*sink
	mu    sync.Mutex
	ended map[string]time.Duration // since it was made
	made  time.Time
}

func newEnding() *ending {
	return &ending{sink: newSink(), ended: make(map[string]time.Duration), made: time.Now()}
}

func (e *ending) Ban(b session.Ban) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.ended[b.Subject]; !known {
		e.ended[b.Subject] = time.Since(e.made)
	}
	return e.sink.Ban(b)
}

// "And bans wait, for 5 s at most, until it has been read what their publisher has stored, and those with
// LiftAny: so a player who was lifted is not put out of a session that this server has taken over."
func TestLiftedBeforeStart(t *testing.T) {
	for name, k := range map[string]struct {
		reading       time.Duration // of what the central publisher has stored
		endsLifted    bool
		least, within time.Duration // until the ban that holds is in force
	}{
		"soon":      {time.Second, false, time.Second, 2 * time.Second},
		"too late":  {time.Minute, true, 5 * time.Second, 5*time.Second + 100*time.Millisecond},
		"just late": {4 * time.Second, false, 4 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, b *revocationtest.Broker) {
				centralKey, matchKey := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
				c, _ := publisher(t, revocation.PublisherConfig{Key: centralKey, Dir: t.TempDir(), Carrier: b.Carrier()})
				m, _ := publisher(t, revocation.PublisherConfig{Key: matchKey, Dir: t.TempDir(), Carrier: b.Carrier()})
				banned := append1(t, m, ban("honest"), ban("cheat"))
				append1(t, c, revocation.Record{Kind: revocation.KindLift, Issuer: "issuer", Value: "honest", Of: m.ID(), At: banned[0].Time})
				append1(t, m, ban("fool"))
				append1(t, m, lift("fool"))
				time.Sleep(5 * time.Second) // until nothing of it is repeated

				server := newEnding()
				subscriber(t, revocation.SubscriberConfig{
					Trusted: []revocation.Trusted{match("match", matchKey), central(centralKey)},
					Carrier: slowReading{b.Carrier(), c.ID(), k.reading}, Sink: server,
				})
				time.Sleep(10 * time.Second)
				server.mu.Lock()
				defer server.mu.Unlock()
				if at, ok := server.ended["cheat"]; !ok || at < k.least || at > k.within {
					t.Errorf("the ban that holds is in force after %v (%v), want %v to %v", at, ok, k.least, k.within)
				}
				if _, ok := server.ended["honest"]; ok != k.endsLifted {
					t.Errorf("the player who was lifted by another publisher was put out: %v", ok)
				}
				if _, ok := server.ended["fool"]; ok {
					t.Error("the player who was lifted by the same publisher was put out")
				}
			})
		})
	}
}
