package transport

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// "A connection id is random, unique on the server" PROTOCOL.md 9.3: also of connections whose handshakes end at the
// same time, though chance has the same for all. Each player is found at the next address.
func TestConnectionIDsOfACrowd(t *testing.T) {
	t.Parallel()
	const crowd = 8
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		drawn := uint32(0)
		w.match.mute = true
		s := w.listen(w.fleet(t))
		w.server.first().Table.Draw(func() uint32 {
			drawn++
			return 1<<31 | drawn/(2*crowd)<<16
		})
		w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
		all := w.stayAll(crowd)
		time.Sleep(time.Second)
		ids := make(map[uint32]bool)
		for i := range crowd {
			ids[w.match.player(i).conn.ID] = true
		}
		for _, st := range all {
			if err := st.Rebind(w.socket(neighbour(st.number))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		for _, st := range all {
			st.quit()
			if n, stats := w.missing(st), st.Stats(); n > 20 || stats.Moved != 1 || stats.Resumed != 0 {
				t.Errorf("player %d: %d inputs missing, moved %d times, resumed %d times", st.number, n, stats.Moved, stats.Resumed)
			}
		}
		if len(ids) != crowd {
			t.Errorf("%d connection ids for %d players", len(ids), crowd)
		}
	})
}
