package transport

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/clockstep"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
)

// polls runs a client's frame loop for a while.
func (w *world) polls(c *Client, long time.Duration) {
	w.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err := c.Poll(ClientHandler{}); err != nil {
			w.Fatal(err)
		}
	}
}

// A game that has stood still for most of the idle time, with a PING under way, and whose path is lost for a moment
// then, stays in its session.
func TestStoodStill(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve()
		c := w.dial(1)
		w.polls(c, time.Second)
		for sent := c.Stats().BytesSent; c.Stats().BytesSent == sent; {
			w.polls(c, 50*time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		w.block(true)
		w.polls(c, time.Second)
		w.block(false)
		w.polls(c, time.Minute)
		if st := c.Stats(); st.Resumed != 0 || len(w.match.left()) > 0 {
			t.Errorf("%+v, left: %v", st, w.match.left())
		}
	})
}

// A machine that sleeps stops its clock. Its session lasts no longer for that, and is renewed in time once it has been
// resumed.
func TestSlept(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		var slept atomic.Int64
		awake := func() time.Time { return time.Now().Add(-time.Duration(slept.Load())) }
		c, err := Dial(clockstep.With(w.Context(), awake), serverAddr.String(), ClientConfig{
			RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Token: w.tokens(grantFor(1)), Conn: w.socket(playerAddr(1)),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.clients = append(w.clients, c)
		defer slept.Store(0) // Close waits by the socket's clock
		w.polls(c, time.Second)
		const sleep = 8 * time.Minute
		w.block(true)
		time.Sleep(sleep)
		slept.Store(int64(sleep))
		w.block(false)
		w.polls(c, 20*time.Minute)
		if st := c.Stats(); st.Resumed != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// Short sleeps, of which the server does not know, add up: the session ends sooner by the client's
// clock, which has stood still meanwhile, and is renewed in time.
func TestSleepsAddUp(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		var slept atomic.Int64
		awake := func() time.Time {
			d := time.Duration(slept.Load())
			return testkit.Step(t, time.Now().Add(-d), d) // the wall clock is right
		}
		c, err := Dial(clockstep.With(w.Context(), awake), serverAddr.String(), ClientConfig{
			RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Token: w.tokens(grantFor(1)), Conn: w.socket(playerAddr(1)),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.clients = append(w.clients, c)
		for range 60 {
			w.polls(c, 5*time.Second)
			const sleep = 20 * time.Second
			w.block(true)
			time.Sleep(sleep)
			slept.Add(int64(sleep))
			w.block(false)
		}
		w.polls(c, 5*time.Second)
		if st := c.Stats(); st.Resumed != 0 || len(w.match.left()) > 0 || w.audited("renew") < 2 {
			t.Errorf("%+v, left: %v, renewed %d times", st, w.match.left(), w.audited("renew"))
		}
	})
}

// A client's wall clock that is set ahead has a token asked for no sooner than a sleep of the idle
// time would, and one that is set back changes nothing.
func TestRenewalAndWallClock(t *testing.T) {
	t.Parallel()
	const idle = 30 * time.Second
	begin := testkit.Step(t, time.Now(), 0)
	var r renewal
	r.schedule(begin, begin.Add(10*time.Minute))
	at := r.at
	for i, step := range []struct{ wall, sooner time.Duration }{
		{clockError - 1, 0},
		{clockError, clockError},
		{clockError + idle, clockError + idle},
		{time.Hour, clockError + 2*idle},
		{time.Hour, clockError + 2*idle},
		{-time.Hour, clockError + 2*idle},
		{-time.Hour + time.Second, 2*clockError + 2*idle},
	} {
		r.catchUp(testkit.Step(t, begin.Add(time.Duration(i)*time.Second), step.wall), idle)
		if got := at.Sub(r.at); got != step.sooner {
			t.Errorf("with the wall clock %v ahead: %v sooner, want %v", step.wall, got, step.sooner)
		}
	}
	r.at = time.Time{} // a token is being asked for
	if r.catchUp(testkit.Step(t, begin.Add(time.Minute), time.Hour), idle); !r.at.IsZero() {
		t.Error(r.at)
	}
}
