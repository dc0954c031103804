package transport

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
)

// "Frames MUST have the last tenth where DATA alone takes the others, or what is promised to arrive
// would wait for DATA to end" PROTOCOL.md 16.9. Nothing exceeds the server's limits for that, and DATA
// has the nine tenths.
func TestDataLeavesLanesAShare(t *testing.T) {
	const end, every = 20 * time.Second, 500 * time.Millisecond
	for _, c := range []struct {
		name         string
		allowed      int // datagrams a second
		bytes        int // a second
		data, length int // datagrams of DATA a second, and bytes of each
		latency      time.Duration
		slowest      time.Duration // a message, until it is acknowledged
	}{
		{"nine tenths", 60, 1 << 18, 54, 100, 20 * time.Millisecond, 200 * time.Millisecond},
		{"all datagrams", 60, 1 << 18, 60, 100, 20 * time.Millisecond, 200 * time.Millisecond},
		{"twice the datagrams", 60, 1 << 18, 120, 100, 20 * time.Millisecond, time.Second},
		{"nine tenths of few datagrams", 19, 1 << 18, 17, 100, 20 * time.Millisecond, 700 * time.Millisecond},
		{"all of few datagrams", 10, 1 << 18, 10, 100, 20 * time.Millisecond, 1500 * time.Millisecond},
		{"all bytes", 256, 1 << 16, 64, 1024, 20 * time.Millisecond, 200 * time.Millisecond},
		{"twice the bytes", 256, 1 << 16, 128, 1024, 20 * time.Millisecond, time.Second},
		{"more than a slow path's rate", 256, 1 << 18, 60, 700, 400 * time.Millisecond, 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: c.latency})
				w.match.mute = true
				atServer := newLedger("server")
				w.match.lanes = atServer
				w.serve(allLanes, func(s *Config) {
					s.Session.Behaviour = policy.BehaviourConfig{
						Datagrams: c.allowed, DatagramBurst: c.allowed, Bytes: c.bytes, ByteBurst: c.bytes,
					}
				})
				player := w.dial(1, withLanes, quietClient)
				payload, start := make([]byte, c.length), time.Now()
				sent, slowest := 0, time.Duration(0)
				var queued []time.Time // messages that have not been acknowledged
				for time.Since(start) < end {
					if err := player.Send(payload); err != nil {
						w.Fatal(err)
					}
					if at := time.Duration(sent) * every; at < time.Since(start) && at < end-3*time.Second {
						sent++
						if _, err := player.SendMessage(laneReliable, letterOf(laneReliable, uint64(sent), 20)); err != nil {
							w.Fatal(err)
						}
						queued = append(queued, time.Now())
					}
					for player.Delivered(laneReliable) > uint64(sent-len(queued)) {
						slowest, queued = max(slowest, time.Since(queued[0])), queued[1:]
					}
					time.Sleep(time.Second / time.Duration(c.data))
				}
				atServer.all(w, laneReliable, sent)
				if len(queued) > 0 || slowest > c.slowest {
					w.Errorf("%d of %d messages are unfinished, the slowest took %v", len(queued), sent, slowest)
				}
				taken := min(c.data, c.allowed, c.bytes/c.length) * int(end/time.Second)
				got, drops := w.match.count(string(payload)), w.server.Stats().Drops["rate"]
				if least := taken * 9 / 10; got < least {
					w.Errorf("%d DATA came, want %d", got, least)
				}
				if c.data*10 <= c.allowed*9 && c.data*c.length*10 <= c.bytes*9 && player.Stats().Yielded > 0 {
					w.Errorf("%d DATA have given way within nine tenths", player.Stats().Yielded)
				}
				if c.data <= c.allowed && c.data*c.length <= c.bytes && drops > 0 {
					w.Errorf("%d datagrams are dropped for the rate", drops)
				}
			})
		})
	}
}
