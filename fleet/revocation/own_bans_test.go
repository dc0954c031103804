package revocation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// A lift ends bans that publishers have published. A ban of a server's own, by its match or its
// operator, holds on: whoever lifts, and whether or not there was another ban of the player.
func TestLiftLeavesOwnBans(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		one, two := w.host(revocation.AdmitNobodyNew), w.host(revocation.AdmitNobodyNew)
		for _, h := range []*host{one, two} {
			within(t, 2*time.Second, "whole", func() bool { return !h.feed.Status().Stale })
		}
		time.Sleep(time.Second) // lifts wait for what is stored of publishers that do not answer
		for _, name := range []string{"lifted by a match server", "banned by it and lifted", "lifted by the central one"} {
			if _, err := one.server.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: name}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := two.feed.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "banned by it and lifted"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		for _, name := range []string{"lifted by a match server", "banned by it and lifted"} {
			if err := two.feed.Lift(testkit.IssuerName, name); err != nil {
				t.Fatal(err)
			}
		}
		append1(t, w.central, revocation.Record{Kind: revocation.KindLift, Issuer: testkit.IssuerName, Value: "lifted by the central one"})
		time.Sleep(250 * time.Millisecond)
		for _, name := range []string{"lifted by a match server", "banned by it and lifted", "lifted by the central one"} {
			one.refuses(name, nil, session.ReasonRevoked)
			two.admits(name, nil)
		}
		if !one.server.Lift(testkit.IssuerName, "lifted by a match server") {
			t.Error("the operator of the server lifts nothing")
		}
		one.admits("lifted by a match server", nil)
	})
}

// slowly is a carrier that takes all its time to publish, once told to.
type slowly struct {
	revocation.Carrier
	slow func() bool
}

func (s slowly) Publish(ctx context.Context, t revocation.Topic, m []byte) error {
	if t == revocation.TopicLive && s.slow() {
		<-ctx.Done()
	}
	return s.Carrier.Publish(ctx, t, m)
}

// A lift that comes while a ban is still on its way to the broker ends that ban on the banning server,
// too.
func TestLiftDuringBan(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		w := newWorld(t, b)
		slow := make(chan bool, 1)
		w.config = func(c *revocation.FeedConfig) {
			c.Carrier = slowly{c.Carrier, func() bool {
				select {
				case v := <-slow:
					return v
				default:
					return false
				}
			}}
		}
		h := w.host(revocation.KeepPlaying)
		within(t, 3*time.Second, "whole", func() bool { return !h.feed.Status().Stale })
		done := make(chan error, 1)
		slow <- true
		go func() {
			_, err := h.feed.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "alice"})
			done <- err
		}()
		time.Sleep(100 * time.Millisecond) // whoever takes the slow one: the ban or a head
		if err := h.feed.Lift(testkit.IssuerName, "alice"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		h.admits("alice", nil)
	})
}

// What is no ban is one error, whether a server or a feed is asked.
func TestFeedRefusesWhatIsNoBan(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		h := newWorld(t, b).host(revocation.KeepPlaying)
		for _, bad := range []session.Ban{
			{Issuer: testkit.IssuerName},
			{Subject: "x"},
			{Issuer: testkit.IssuerName, Subject: "x", Reason: session.ReasonShutdown},
			{Issuer: testkit.IssuerName, Subject: "x", Note: string(make([]byte, 65))},
		} {
			if _, err := h.feed.Ban(bad); !errors.Is(err, session.ErrBan) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
