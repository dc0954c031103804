package transport

import (
	"testing"
	"time"

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
