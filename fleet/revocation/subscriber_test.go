package revocation_test

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
)

func TestPublishedIsInForce(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key := revocation.GenerateSigningKey()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		append1(t, p, subject("early"))
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server})
		if !s.Status().Stale {
			t.Error("a subscriber that has heard nothing is not stale")
		}
		within(t, 2*time.Second, "whole", func() bool { return !s.Status().Stale })
		if !server.revokedSubject("early") {
			t.Error("what was published before is not in force")
		}
		append1(t, p, subject("late"), ban("cheat"))
		within(t, 10*time.Millisecond, "in force", func() bool { return server.revokedSubject("late") && server.banned("cheat") })
		append1(t, p, lift("cheat"))
		within(t, 10*time.Millisecond, "lifted", func() bool { return !server.banned("cheat") })
		if st := s.Status().Publishers[0]; st.Applied != 4 || st.Last != 4 {
			t.Errorf("applied %d of %d", st.Applied, st.Last)
		}
	})
}
