package reach

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/session"
)

// eventually waits until f reports true, and returns how long that took.
func eventually(t *testing.T, what string, f func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !f() {
		if time.Since(began) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

func start(t *testing.T, c Config) *Fleet {
	t.Helper()
	f, err := Start(within(t, time.Minute), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func join(t *testing.T, f *Fleet, name string) *Player {
	t.Helper()
	p, err := f.Join(within(t, time.Minute), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Leave)
	return p
}

// stopwatch starts one, and returns a function that reads it. What the machine was late does not count.
func stopwatch(t *testing.T, f *Fleet) func() time.Duration {
	t.Helper()
	began := time.Now()
	return func() time.Duration {
		t.Helper()
		took := time.Since(began)
		late, err := f.late(began, began.Add(took))
		if err != nil {
			t.Fatal(err)
		}
		return took - late
	}
}

// heard reports whether a server has delivered a datagram of a player since a moment.
func heard(t *testing.T, s *Server, p *Player, since time.Time) bool {
	t.Helper()
	seen, err := s.Seen(p.Subject)
	if err != nil {
		t.Fatal(err)
	}
	return seen.After(since)
}

func status(t *testing.T, s *Server) Answer {
	t.Helper()
	a, err := s.Status()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func publish(t *testing.T, f *Fleet, r revocation.Record) {
	t.Helper()
	if _, err := f.Publisher.Append(r); err != nil {
		t.Fatal(err)
	}
}

func ban(p *Player) revocation.Record {
	return revocation.Record{Kind: revocation.KindBan, Issuer: issuer, Value: p.Subject}
}

// comes has somebody new come to a server, and returns the refusal.
func comes(t *testing.T, f *Fleet, s *Server, name string) error {
	t.Helper()
	c, err := f.Dial(within(t, patience), s, name)
	if err == nil {
		err = c.Close()
	}
	return err
}

// A server that is cut off from NATS does what its mode says once it is stale, and no earlier; and
// within five seconds of the line it is whole again: who was banned meanwhile is put out.
func TestPartition(t *testing.T) {
	t.Parallel()
	c := config(t, 4)
	c.Stale = 3 * time.Second
	c.Modes = []revocation.Mode{revocation.AdmitNobodyNew, revocation.KeepPlaying, revocation.EndSessions, revocation.AdmitNobodyNew}
	f := start(t, c)
	admit, keep, end, whole := f.Servers[0], f.Servers[1], f.Servers[2], f.Servers[3]
	alice, bob := join(t, f, "alice"), join(t, f, "bob")
	// JetStream stores by now, as in a fleet that has been up for seconds.
	publish(t, f, revocation.Record{Kind: revocation.KindToken, Issuer: issuer, Value: "first"})
	if err := f.waitStored(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	read := stopwatch(t, f)
	for i := range 3 {
		f.Lines[i].Cut()
	}
	cut := time.Now()
	publish(t, f, ban(bob))
	if err := comes(t, f, admit, "early"); err != nil && time.Since(cut) < c.Stale {
		t.Errorf("refused somebody before it was stale, %v after the cut: %v", time.Since(cut), err)
	}
	for _, s := range f.Servers[:3] {
		eventually(t, "stale", func() bool { return status(t, s).Status.Stale })
	}
	stale := read()
	t.Logf("stale %v after the cut", stale)
	now := time.Now()
	eventually(t, "alice plays on", func() bool { return heard(t, admit, alice, now) && heard(t, keep, alice, now) })
	eventually(t, "bob plays on where nobody knows of the ban", func() bool { return heard(t, admit, bob, now) })
	if heard(t, whole, bob, now) {
		t.Error("bob plays on where the ban is known")
	}
	if refused, err := refusedFor(comes(t, f, admit, "carol"), session.ReasonUnavailable); !refused {
		t.Errorf("%v: %v", revocation.AdmitNobodyNew, err)
	}
	if err := comes(t, f, keep, "carol"); err != nil {
		t.Errorf("%v: %v", revocation.KeepPlaying, err)
	}
	eventually(t, "nobody plays where sessions end", func() bool { return status(t, end).Players == 0 })
	if stale > c.Stale+2*time.Second {
		t.Errorf("stale after %v, want %v", stale, c.Stale)
	}
	read = stopwatch(t, f)
	for i := range 3 {
		f.Lines[i].Mend()
	}
	for _, s := range []*Server{admit, keep} {
		if err := f.waitWhole(within(t, time.Minute), s); err != nil {
			t.Fatal(err)
		}
	}
	took := read()
	t.Logf("whole again %v after the line was mended", took)
	if took > BoundMended {
		t.Errorf("whole again after %v, want %v at most", took, BoundMended)
	}
	if err := comes(t, f, admit, "dave"); err != nil {
		t.Error(err)
	}
	now = time.Now()
	time.Sleep(2 * calm)
	eventually(t, "alice plays on", func() bool { return heard(t, admit, alice, now) && heard(t, keep, alice, now) })
	if heard(t, admit, bob, now) || heard(t, keep, bob, now) {
		t.Error("bob plays on where the ban is known")
	}
}
