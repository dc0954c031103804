package revocation_test

import (
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
