package transport

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// Of a datagram with several messages nothing is delivered after the one whose handler has put the player out.
func TestNothingAfterABan(t *testing.T) {
	for name, put := range map[string]func(p *Player){
		"ban": func(p *Player) {
			_, _ = p.shard.server.Ban(session.Ban{Issuer: p.Session().Issuer(), Subject: p.Session().Subject(), Until: time.Now().Add(time.Hour)})
		},
		"revocation": func(p *Player) { p.shard.server.RevokeSubject(p.Session().Issuer(), p.Session().Subject()) },
	} {
		t.Run(name, func(t *testing.T) {
			var ids []uint64
			left := 0
			l, _, p := hostileEnds(t, Handler{
				Message: func(p *Player, _ int, id uint64, _ []byte) {
					if ids = append(ids, id); id == 3 {
						put(p)
					}
				},
				Latest: func(*Player, int, uint32, []byte) { t.Error("a value after the ban") },
				Leave:  func(*Player, wire.Reason) { left++ },
			}, modes...)
			value := wire.Frame{Type: wire.FrameLatest, Lane: 4, ID: 1, Data: []byte("x")}
			l.frame(whole(3, 2, 1), whole(3, 4, 1), whole(3, 3, 1), whole(3, 1, 1), whole(2, 5, 1), value)
			if want := []uint64{1, 2, 3}; !slices.Equal(ids, want) {
				t.Errorf("messages %v, want %v", ids, want)
			}
			if _, err := p.SendMessage(2, nil); err != ErrGone {
				t.Errorf("SendMessage: %v", err)
			}
			sent := l.out.sent
			l.tick(func() {})
			if l.out.sent != sent {
				t.Errorf("%d datagrams after the ban", l.out.sent-sent)
			}
			l.frame(whole(2, 6, 1))
			if left != 1 || len(ids) != 3 {
				t.Errorf("left %d times, messages %v", left, ids)
			}
		})
	}
}

// FRAMES of a session without lanes are dropped.
func TestFramesWithoutLanes(t *testing.T) {
	e := newEnds(t, playerAddr(1), Handler{Message: func(*Player, int, uint64, []byte) { t.Error("a message") }})
	before := e.shard.Dropped(audit.DropState)
	e.shard.Datagram(e.now, e.addr, e.seal(record.ApplicationData, e.envelope(wire.KindFrames, bodyOf(whole(0, 1, 1)))))
	if n := e.shard.Dropped(audit.DropState) - before; n != 1 || e.conn().player.ended.Load() {
		t.Errorf("%d dropped", n)
	}
}

// What is lost is sent again in time, although nothing else happens: Serve sleeps no longer than the lanes let it.
func TestServeWakesForItsLanes(t *testing.T) {
	virtual(t, func(w *world) {
		atClient := newLedger("client")
		w.serve(allLanes)
		c := w.dial(1, withLanes)
		defer w.reads(c, atClient)()
		p := w.match.player(0)
		for id := uint64(1); id <= 20; id++ {
			if id > 10 {
				w.net.SetImpairment(netsim.Impairment{Loss: 1})
			}
			at := time.Now()
			if _, err := p.SendMessage(laneOrdered, letterOf(laneOrdered, id, 100)); err != nil {
				w.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
			w.net.SetImpairment(netsim.Impairment{})
			for p.Delivered(laneOrdered) != id && time.Since(at) < 5*time.Second {
				time.Sleep(time.Millisecond)
			}
			if late := time.Since(at); late > 150*time.Millisecond {
				w.Errorf("message %d arrived after %v", id, late)
			}
			time.Sleep(1234 * time.Millisecond) // nobody's traffic
		}
	})
}

// What Join has queued leaves after WELCOME, and not at all if Join refuses; each message has its receipt.
func TestMessagesOfJoin(t *testing.T) {
	for name, refuse := range map[string]bool{"admitted": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				s := w.listen(allLanes)
				atServer, atClient := newLedger("server"), newLedger("client")
				h := Handler{
					Receipt: func(_ *Player, lane int, id uint64, arrived bool) { atServer.receipt(lane, id, arrived) },
					Join: func(p *Player) {
						for id := uint64(1); id <= 10; id++ {
							if _, err := p.SendMessage(laneOrdered, letterOf(laneOrdered, id, 3000)); err != nil {
								w.Error(err)
							}
						}
						if missed, err := s.BroadcastMessage(laneReliable, letterOf(laneReliable, 1, 10)); err != nil || missed != nil {
							w.Error(missed, err)
						}
						s.Flush()
						if refuse {
							p.Refuse(session.ReasonFull)
						}
					},
					Leave: func(*Player, session.Reason) {
						if refuse {
							w.Error("Leave of a player who was refused")
						}
					},
				}
				w.serving.Go(func() { w.served = s.Serve(h) })
				c, err := w.try(1, withLanes)
				if refuse {
					w.closed(err, session.ReasonFull)
				} else {
					stop := w.reads(c, atClient)
					time.Sleep(2 * time.Second)
					stop()
					atClient.all(w, laneOrdered, 10)
					atClient.all(w, laneReliable, 1)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				for k, arrived := range atServer.receipts {
					if arrived == refuse {
						w.Errorf("lane %d, id %d: arrived %v", k[0], k[1], arrived)
					}
				}
				if len(atServer.receipts) != 11 {
					w.Errorf("%d receipts", len(atServer.receipts))
				}
			})
		})
	}
}
