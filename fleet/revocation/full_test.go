package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// A server that does not hold everything admits nobody new until it does.
func TestFull(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key := revocation.GenerateSigningKey()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		server, lines, log := newSink(), &records{}, &logs{}
		server.room = 10
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server, Audit: lines, Logger: log.logger()})
		within(t, 3*time.Second, "fresh", func() bool { return !s.Status().Stale })
		for i := range 20 {
			append1(t, p, subject(fmt.Sprint(i)))
		}
		time.Sleep(3 * time.Minute)
		opens := func() bool {
			return s.Authorize(func(*session.Admission) error { return nil })(&session.Admission{Why: session.Opening}) == nil
		}
		if st := s.Status(); !st.Full || st.Stale || server.count() != 10 || opens() {
			t.Errorf("%+v, %d in force", st, server.count())
		}
		if lines.count("full") == 0 || !log.has("raise session.Config.MaxRevocations") {
			t.Error("not audited, or not logged")
		}
		server.mu.Lock()
		server.room = 0
		server.mu.Unlock()
		within(t, 10*time.Minute, "whole", func() bool { return !s.Status().Full })
		if server.count() != 20 || !opens() {
			t.Errorf("%d in force", server.count())
		}
	})
}

// bounded is a carrier that stores no more than so many bytes.
type bounded struct {
	*revocationtest.Carrier
	broker *revocationtest.Broker
	bytes  int
}

func (c bounded) Store(ctx context.Context, k revocation.StateKey, m []byte) error {
	total := len(m)
	for key, m := range c.broker.Backup() {
		if key != k {
			total += len(m)
		}
	}
	if total > c.bytes {
		return errors.New("full")
	}
	return c.Carrier.Store(ctx, k, m)
}

// A carrier that is full has room again once something has expired, though something new is published all
// the time. Then a server that starts has everything.
func TestFullCarrierRecovers(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		const each, segments = 500, 10
		key, n := revocation.GenerateSigningKey(), 0
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: bounded{b.Carrier(), b, 120 << 10}})
		publish := func(many int, lasting time.Duration) {
			t.Helper()
			used := make([]revocation.Record, many)
			for i := range used {
				n++
				used[i] = revocation.Record{Kind: revocation.KindUsed, Used: session.UsedToken, ID: [16]byte{1, byte(n), byte(n >> 8)}, Until: time.Now().Add(lasting)}
			}
			append1(t, p, used...)
		}
		append1(t, p, ban("cheat"))
		for range segments {
			publish(each, time.Minute)
			time.Sleep(time.Second)
		}
		began := time.Now()
		for time.Since(began) < 6*time.Minute {
			publish(1, time.Hour)
			time.Sleep(time.Second)
			if time.Since(began) < 5*time.Minute && p.Stats().Unstored == 0 {
				t.Fatalf("the carrier is not full after %v", time.Since(began))
			}
		}
		for stored := 0; stored < 10; time.Sleep(time.Second) { // now and then everything is stored
			publish(1, time.Hour)
			time.Sleep(200 * time.Millisecond)
			if p.Stats().Unstored == 0 {
				stored++
			}
			if time.Since(began) > 8*time.Minute {
				t.Fatalf("%d segments are not stored %v after what filled the carrier has expired: %+v", p.Stats().Unstored, time.Since(began)-6*time.Minute, p.Stats())
			}
		}
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server})
		within(t, 3*time.Second, "whole", func() bool { return !s.Status().Stale })
		if !server.banned("cheat") {
			t.Error("a ban is lost")
		}
	})
}
