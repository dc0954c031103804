package revocation_test

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Five minutes without the broker: after 15 s each server does what its mode says; players renew and
// resume meanwhile; and within 5 s of its return what was published meanwhile is in force.
func TestFeedCutOff(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		admit, keep, end := w.host(revocation.AdmitNobodyNew), w.host(revocation.KeepPlaying), w.host(revocation.EndSessions)
		hosts := []*host{admit, keep, end}
		for _, h := range hosts {
			within(t, 2*time.Second, "whole", func() bool { return !h.feed.Status().Stale })
		}
		clients := map[*host]*transport.Client{}
		for _, h := range hosts {
			clients[h] = h.join("alice")
			h.join("bob")
			within(t, time.Second, "playing", func() bool { return h.plays("alice") && h.plays("bob") })
		}
		for _, h := range hosts {
			h.carrier.Cut(true)
		}
		append1(t, w.central, revocation.Record{Kind: revocation.KindBan, Issuer: testkit.IssuerName, Value: "bob"})
		time.Sleep(12 * time.Second)
		admit.admits("early", nil)
		time.Sleep(3*time.Second + 500*time.Millisecond)
		admit.refuses("late", nil, session.ReasonUnavailable)
		keep.admits("late", nil)
		within(t, 5*time.Second, "the end", func() bool { return end.reason("alice") == session.ReasonShutdown })

		// A player whose connection is lost goes on: by ticket, or on the former connection if that
		// answers first. That the mode lets tickets pass is TestModes'.
		line := admit.socket()
		if err := line.SetImpairment(netsim.Impairment{Loss: 1}); err != nil {
			t.Fatal(err)
		}
		if err := clients[admit].Rebind(line); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := line.SetImpairment(netsim.Impairment{}); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "playing again", func() bool { return admit.plays("alice") })

		time.Sleep(4*time.Minute + 15*time.Second)
		for _, h := range []*host{admit, keep} {
			if !h.plays("alice") || !h.plays("bob") {
				t.Error("a player was put out for what the broker did")
			}
			if !clients[h].Expires().After(time.Now()) {
				t.Error("not renewed")
			}
		}
		for _, h := range hosts {
			h.carrier.Cut(false)
		}
		took := within(t, 5*time.Second, "whole again", func() bool { return !admit.feed.Status().Stale && !keep.feed.Status().Stale })
		t.Logf("whole again after %v", took)
		within(t, time.Second, "bob put out", func() bool {
			return admit.reason("bob") == session.ReasonRevoked && keep.reason("bob") == session.ReasonRevoked
		})
		admit.refuses("bob", nil, session.ReasonRevoked)
		admit.admits("late", nil)
		if !admit.plays("alice") || !keep.plays("alice") {
			t.Error("alice was put out")
		}
	})
}

// What is used up or decided on one server counts on the others: tokens, kicks, bans, and their end.
func TestFeedReports(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		one, two := w.host(revocation.AdmitNobodyNew), w.host(revocation.AdmitNobodyNew)
		for _, h := range []*host{one, two} {
			within(t, 2*time.Second, "whole", func() bool { return !h.feed.Status().Stale })
		}
		const bound = 250 * time.Millisecond
		raw := w.token("alice")
		one.admits("alice", raw)
		time.Sleep(bound)
		two.refuses("alice", raw, session.ReasonUsed)
		two.admits("alice", nil)

		two.join("mallory")
		within(t, time.Second, "playing", func() bool { return two.plays("mallory") })
		if _, err := one.feed.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "mallory", Note: "cheats"}); err != nil {
			t.Fatal(err)
		}
		one.refuses("mallory", nil, session.ReasonRevoked)
		within(t, bound, "put out", func() bool { return two.reason("mallory") == session.ReasonRevoked })
		two.refuses("mallory", nil, session.ReasonRevoked)
		if err := one.feed.Lift(testkit.IssuerName, "mallory"); err != nil {
			t.Error(err)
		}
		time.Sleep(bound)
		one.admits("mallory", nil)
		two.admits("mallory", nil)
	})
}

// A Feed without a key reads and publishes nothing; one that cannot be is an error that names the
// field.
func TestFeedReadsOnly(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		w.config = func(c *revocation.FeedConfig) { c.Key = revocation.SigningKey{} }
		h := w.host(revocation.AdmitNobodyNew)
		within(t, 2*time.Second, "whole", func() bool { return !h.feed.Status().Stale })
		if _, err := h.feed.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "x"}); err == nil {
			t.Error("published without a key")
		}
		if err := h.feed.Lift(testkit.IssuerName, "x"); err == nil {
			t.Error("published without a key")
		}
		h.join("bob")
		append1(t, w.central, revocation.Record{Kind: revocation.KindBan, Issuer: testkit.IssuerName, Value: "bob"})
		within(t, 250*time.Millisecond, "put out", func() bool { return h.reason("bob") == session.ReasonRevoked })
		if _, err := revocation.NewFeed(revocation.FeedConfig{Trusted: w.trusted, Key: w.keys[1], Dir: t.TempDir()}); err == nil {
			t.Error("a feed without a carrier")
		}
		if _, err := revocation.NewFeed(revocation.FeedConfig{Carrier: b.Carrier(), Key: w.keys[1], Dir: t.TempDir()}); err == nil {
			t.Error("a feed that trusts nobody")
		}
	})
}
