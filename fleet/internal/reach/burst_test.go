package reach

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
)

// A million revocations in a burst are in force everywhere within a minute, and no player notices.
// A server that is to keep fewer says so: it admits nobody new, and forgets none that it has.
func TestBurst(t *testing.T) {
	t.Parallel()
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	c := config(t, 1)
	c.Most = n + 1000
	f := start(t, c)
	alice := join(t, f, "alice")
	began := time.Now()
	if err := f.append(n); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d revocations published after %v", n, time.Since(began))
	if err := f.WaitWhole(within(t, 3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Logf("in force after %v", time.Since(began))
	now := time.Now()
	eventually(t, "alice plays on", func() bool { return heard(t, f.Servers[0], alice, now) })
	if err := comes(t, f, f.Servers[0], "bob"); err != nil {
		t.Error(err)
	}
	if err := f.append(2000); err != nil {
		t.Fatal(err)
	}
	eventually(t, "full", func() bool { return status(t, f.Servers[0]).Status.Full })
	if refused, err := refusedFor(comes(t, f, f.Servers[0], "carol"), session.ReasonUnavailable); !refused {
		t.Error(err)
	}
	now = time.Now()
	eventually(t, "alice plays on", func() bool { return heard(t, f.Servers[0], alice, now) })
}
