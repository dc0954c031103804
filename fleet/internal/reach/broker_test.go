package reach

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
)

// A NATS cluster that is gone in the middle of a match costs no player a thing; and one that comes
// back with an old store, or with an empty one, gives back to nobody what was revoked: not on the
// servers that run, nor on one that starts.
func TestStoreRolledBack(t *testing.T) {
	t.Parallel()
	c := config(t, 2)
	c.Announce = 2 * time.Second
	f := start(t, c)
	alice, before, after, away := join(t, f, "alice"), join(t, f, "before"), join(t, f, "after"), join(t, f, "away")
	restart := func(do func() error) {
		t.Helper()
		if err := f.NATS.Close(); err != nil {
			t.Fatal(err)
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if err := f.NATS.StartAll(); err != nil {
			t.Fatal(err)
		}
		if err := f.WaitWhole(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() {
		t.Helper()
		if err := f.waitStored(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	silent := func(p *Player) {
		t.Helper()
		if _, err := f.silent(within(t, patience), p.Subject, time.Now()); err != nil {
			t.Error(err)
		}
	}
	publish(t, f, ban(before))
	stored()
	saved := t.TempDir()
	restart(func() error { return f.NATS.Save(saved) })
	publish(t, f, ban(after))
	stored()
	restart(func() error {
		publish(t, f, ban(away)) // nobody hears of it yet
		now := time.Now()
		for _, s := range f.Servers {
			eventually(t, "players play on without NATS", func() bool { return heard(t, s, away, now) && heard(t, s, alice, now) })
		}
		return f.NATS.Rollback(saved)
	})
	for _, p := range []*Player{before, after, away} {
		silent(p)
	}
	starts := func() {
		t.Helper()
		took, _, err := f.started(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s has everything after %v", f.Servers[len(f.Servers)-1].Name, took)
		for _, p := range []*Player{before, after, away} {
			if err := f.Refused(within(t, time.Minute), p.Subject, session.ReasonRevoked); err != nil {
				t.Error(err)
			}
		}
	}
	starts()
	restart(func() error { return f.NATS.Rollback("") })
	starts()
	now := time.Now()
	for _, s := range f.Servers[:2] {
		eventually(t, "alice plays on", func() bool { return heard(t, s, alice, now) })
	}
}

// A match server that starts while no NATS server is there serves, and admits nobody until it knows
// who may not come in.
func TestBrokerAbsentAtStart(t *testing.T) {
	t.Parallel()
	c := config(t, 1)
	c.Absent = true
	f := start(t, c)
	if refused, err := refusedFor(comes(t, f, f.Servers[0], "alice"), session.ReasonUnavailable); !refused {
		t.Error(err)
	}
	if err := f.NATS.StartAll(); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "whole", func() bool { return whole(status(t, f.Servers[0]).Status, 0) })
	t.Logf("whole %v after NATS has started", took)
	if err := comes(t, f, f.Servers[0], "alice"); err != nil {
		t.Error(err)
	}
}
