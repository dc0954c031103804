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
				q := queuedMessages{end: player}
				for time.Since(start) < end {
					if err := player.Send(payload); err != nil {
						w.Fatal(err)
					}
					if at := time.Duration(q.sent) * every; at < time.Since(start) && at < end-3*time.Second {
						q.send(w)
					}
					q.look()
					time.Sleep(time.Second / time.Duration(c.data))
				}
				atServer.all(w, laneReliable, q.sent)
				if len(q.queued) > 0 || q.slowest > c.slowest {
					w.Errorf("%d of %d messages are unfinished, the slowest took %v", len(q.queued), q.sent, q.slowest)
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

// "an ACK beyond what the server takes is dropped with all that is in its datagram" PROTOCOL.md 16.9:
// snapshots ask for more ACKs than that, in datagrams or in bytes, with any share of DATA beside them.
// None is dropped, and messages arrive both ways.
func TestAcksKeepToTheLimits(t *testing.T) {
	const end, tick, every = 20 * time.Second, time.Second / 60, 500 * time.Millisecond
	for _, c := range []struct {
		allowed, bytes int // a second
		data, length   int // datagrams of DATA a second, and bytes of each
		slowest        time.Duration
	}{
		{60, 1 << 18, 60, 5, 500 * time.Millisecond},
		{60, 1 << 18, 30, 5, 200 * time.Millisecond},
		{100, 1 << 18, 60, 5, 200 * time.Millisecond},
		{30, 1 << 18, 30, 5, time.Second},
		{30, 1 << 18, 10, 5, 200 * time.Millisecond},
		{30, 1 << 18, 0, 5, 200 * time.Millisecond},
		{10, 1 << 18, 10, 5, 3 * time.Second},
		{256, 1 << 15, 60, 491, time.Second}, // nine tenths of the bytes
		{256, 1 << 12, 60, 61, 2 * time.Second},
	} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			w.match.mute = true
			atServer, atClient := newLedger("server"), newLedger("client")
			w.match.lanes = atServer
			w.serve(allLanes, func(s *Config) {
				s.Session.Behaviour = policy.BehaviourConfig{Datagrams: c.allowed, DatagramBurst: c.allowed, Bytes: c.bytes, ByteBurst: c.bytes}
			})
			player := w.dial(1, withLanes, quietClient)
			stop := w.takes(player, atClient, (*Client).Serve)
			payload, start, snapshots := make([]byte, c.length), time.Now(), uint64(0)
			ends := []*queuedMessages{{end: player}, {end: w.match.player(0)}}
			for time.Since(start) < end {
				if c.data > 0 && snapshots%uint64(60/c.data) == 0 {
					_ = player.Send(payload)
				}
				snapshots++
				_, _ = w.match.player(0).SendMessage(laneSequenced, letterOf(laneSequenced, snapshots, 500))
				for _, q := range ends {
					if at := time.Duration(q.sent) * every; at < time.Since(start) && at < end-4*time.Second {
						q.send(w)
					}
					q.look()
				}
				time.Sleep(tick)
			}
			atServer.all(w, laneReliable, ends[0].sent)
			atClient.all(w, laneReliable, ends[1].sent)
			for i, q := range ends {
				if len(q.queued) > 0 || q.slowest > c.slowest {
					w.Errorf("%+v: end %d: %d of %d messages are unfinished, the slowest took %v", c, i, len(q.queued), q.sent, q.slowest)
				}
			}
			got, drops := w.match.count(string(payload)), w.server.Stats().Drops["rate"]
			if least := c.data * int(end/time.Second) * 9 / 10; got < least || drops > 0 {
				w.Errorf("%+v: %d DATA came, want %d; %d datagrams are dropped for the rate", c, got, least, drops)
			}
			stop()
			if n := len(atClient.messages[laneSequenced]); n < int(end/tick)*9/10 {
				w.Errorf("%+v: %d snapshots came", c, n)
			}
		})
	}
}

// "The limits field has the limits that a client MUST keep to" PROTOCOL.md 3.2: those of the last WELCOME,
// also for lanes that go on with a resumption after the server has been restarted with others.
func TestLanesKeepToTheLastLimits(t *testing.T) {
	const end, tick, every, fewer = 20 * time.Second, time.Second / 60, 500 * time.Millisecond, 30
	virtual(t, func(w *world) {
		w.match.mute = true
		atServer, told := newLedger("server"), &toldClient{}
		w.match.lanes = atServer
		fleet := w.fleet(t)
		w.serve(fleet, allLanes)
		player := w.dial(1, withLanes, told.note)
		time.Sleep(time.Second)
		w.shutdown()
		w.serving.Wait()
		w.serve(fleet, allLanes, func(s *Config) {
			s.Session.Behaviour = policy.BehaviourConfig{Datagrams: fewer, DatagramBurst: fewer}
		})
		w.disconnect(player)
		w.await("a resumption", func() bool { return player.Stats().Resumed == 1 })
		start, snapshots := time.Now(), uint64(0)
		q := queuedMessages{end: player}
		for time.Since(start) < end {
			if snapshots++; snapshots%3 == 0 {
				_ = player.Send([]byte("input"))
			}
			_, _ = w.match.newest().SendMessage(laneSequenced, letterOf(laneSequenced, snapshots, 500))
			if at := time.Duration(q.sent) * every; at < time.Since(start) && at < end-3*time.Second {
				q.send(w)
			}
			q.look()
			time.Sleep(tick)
		}
		atServer.all(w, laneReliable, q.sent)
		if drops := w.server.Stats().Drops["rate"]; drops > 0 || len(q.queued) > 0 || told.lanesLost() > 0 {
			w.Errorf("%d datagrams are dropped for the rate, %d of %d messages are unfinished", drops, len(q.queued), q.sent)
		}
	})
}

// queuedMessages are those of one end on laneReliable that have not been acknowledged.
type queuedMessages struct {
	end interface {
		SendMessage(lane int, b []byte) (uint64, error)
		Delivered(lane int) uint64
	}
	sent    int
	queued  []time.Time // when each was queued
	slowest time.Duration
}

func (q *queuedMessages) send(w *world) {
	q.sent++
	if _, err := q.end.SendMessage(laneReliable, letterOf(laneReliable, uint64(q.sent), 20)); err != nil {
		w.Fatal(err)
	}
	q.queued = append(q.queued, time.Now())
}

func (q *queuedMessages) look() {
	for q.end.Delivered(laneReliable) > uint64(q.sent-len(q.queued)) {
		q.slowest, q.queued = max(q.slowest, time.Since(q.queued[0])), q.queued[1:]
	}
}
