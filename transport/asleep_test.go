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
