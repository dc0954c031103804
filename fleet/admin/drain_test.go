package admin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// "Draining: newcomers are refused, and the players play on"; the server shuts down once nobody
// plays.
func TestDrain(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	alice := match.Join(t, "alice")
	operator := fleet.Client(t, match, identity.Operator)
	if s, err := operator.Drained(t.Context(), "", 0); err != nil || s.State != admin.Serving || !s.Since.IsZero() || s.Sessions != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	begun := time.Now()
	s, err := operator.Drain(t.Context(), time.Hour, "")
	if err != nil || s.State != admin.Draining || s.Sessions != 1 || s.Deadline.Sub(begun).Round(time.Minute) != time.Hour {
		t.Fatalf("%+v, %v", s, err)
	}
	again, err := operator.Drain(t.Context(), 2*time.Hour, "")
	if err != nil || again.State != admin.Draining || !again.Since.Equal(s.Since) || again.Deadline.Sub(begun).Round(time.Minute) != 2*time.Hour {
		t.Fatalf("again: %+v, %v", again, err)
	}
	closed := new(transport.CloseError)
	if _, err := match.Dial(t, "bob"); !errors.As(err, &closed) || closed.Reason != session.ReasonShutdown {
		t.Errorf("a newcomer: %v", err)
	}
	if err := alice.Send([]byte("still here")); err != nil {
		t.Error(err)
	}
	if stats, err := operator.Stats(t.Context()); err != nil || stats.Drain != admin.Draining || stats.Stats.Sessions != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	type answer struct {
		s   admin.DrainStatus
		err error
	}
	news := make(chan answer, 1)
	go func() {
		s, err := operator.Drained(t.Context(), admin.Draining, 5*time.Second)
		news <- answer{s, err}
	}()
	alice.Close()
	a := <-news
	if a.err != nil || a.s.State == admin.Draining || a.s.Sessions != 0 {
		t.Fatalf("%+v", a)
	}
	for s = a.s; s.State != admin.Closed; {
		if s, err = operator.Drained(t.Context(), s.State, 5*time.Second); err != nil || s.State == admin.Failed {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if err := <-match.Ended; !errors.Is(err, transport.ErrServerClosed) {
		t.Error(err)
	}
	if _, err := operator.Sessions(t.Context(), admin.SessionQuery{}); label(err) != "closed" {
		t.Errorf("a closed server: %v", err)
	}
	if s, err := operator.Drain(t.Context(), 0, ""); err != nil || s.State != admin.Closed {
		t.Errorf("once more: %+v, %v", s, err)
	}
}

// When the time is up the server shuts down all the same, and its players are told so.
func TestDrainAtOnce(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	alice := match.Join(t, "alice")
	if _, err := fleet.Client(t, match, identity.Operator).Drain(t.Context(), 0, ""); err != nil {
		t.Fatal(err)
	}
	if c := ends(t, alice); c.Reason != session.ReasonShutdown {
		t.Errorf("%+v", c)
	}
}

// A drain with a destination sends the players to another server of the fleet, where they resume; then
// the server shuts down.
func TestDrainToServer(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	one, two := fleet.Match(t), fleet.Match(t)
	alice := one.Join(t, "alice")
	operator := fleet.Client(t, one, identity.Operator)
	to := two.Server.Addr().String()
	s, err := operator.Drain(t.Context(), 8*time.Second, to)
	for err == nil && s.State != admin.Closed && s.State != admin.Failed {
		if s.To != to {
			t.Fatalf("%+v", s)
		}
		s, err = operator.Drained(t.Context(), s.State, 5*time.Second)
	}
	if err != nil || s.State != admin.Closed {
		t.Fatalf("%+v, %v", s, err)
	}
	for range 500 { // the first datagram there is on its way
		if two.Server.Stats().Sessions > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if alice.Stats().Resumed != 1 || two.Server.Stats().Sessions != 1 || alice.Send([]byte("still here")) != nil {
		t.Errorf("%+v, %d sessions", alice.Stats(), two.Server.Stats().Sessions)
	}
}
