package nakamabridge

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/transport"
)

// "Like Nakama's, it may be used by any goroutine": no datagram mixes two messages, whatever the
// match does meanwhile.
func TestDispatcherFromOtherGoroutines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	anna := w.signIn("anna")
	clients := []*transport.Client{w.dial(anna, w.stage.join(anna).GetSessionId()), w.dial(w.signIn("ben"), "")}
	w.until(func() bool { return len(w.stage.arena.players) == 2 && w.stage.match.(*match).seats.udp == 2 })

	d := &lockedDispatcher{stage: w.stage}
	w.stage.match.(*match).wrap(d)
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	for op := range int64(4) {
		wg.Go(func() {
			data := bytes.Repeat([]byte{byte(op)}, 100+int(op))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if op%2 == 0 {
					_ = w.stage.match.(*match).dispatcher.BroadcastMessage(op, data, nil, nil, false)
				} else {
					_ = w.stage.match.(*match).dispatcher.BroadcastMessageDeferred(op, data, nil, nil, false)
				}
				_ = w.stage.match.(*match).dispatcher.MatchLabelUpdate("label")
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	var received sync.WaitGroup
	for _, c := range clients {
		received.Go(func() {
			for range 200 {
				if op, data := w.receive(c); data != string(bytes.Repeat([]byte{byte(op)}, 100+int(op))) {
					t.Errorf("op code %d with %q", op, data)
				}
			}
		})
	}
	loop := func() {
		w.stage.tick++
		w.stage.state = w.stage.match.MatchLoop(w.stage.ctx, nil, nil, nil, d, w.stage.tick, w.stage.state, nil)
	}
	for i := range 50 {
		loop()
		if i%10 == 5 { // somebody comes and goes
			p := &virtual{UserID: newUUID(), SessionID: newUUID(), Username: "guest"}
			w.stage.match.MatchJoin(w.stage.ctx, nil, nil, nil, d, 0, w.stage.state, []runtime.Presence{p})
			w.stage.match.MatchLeave(w.stage.ctx, nil, nil, nil, d, 0, w.stage.state, []runtime.Presence{p})
		}
		time.Sleep(2 * time.Millisecond)
	}
	kicked := w.presence("ben")
	wg.Go(func() { _ = w.stage.match.(*match).dispatcher.MatchKick([]runtime.Presence{kicked}) })
	received.Wait()
	for end := time.Now().Add(5 * time.Second); len(w.stage.arena.players) > 1 && time.Now().Before(end); {
		loop()
		time.Sleep(time.Millisecond)
	}
	if len(w.stage.arena.players) != 1 {
		t.Error("a player whom another goroutine has kicked is still in the match")
	}
	close(stop)
	wg.Wait()
}

// lockedDispatcher is Nakama's, which may be used by any goroutine.
type lockedDispatcher struct {
	mu    sync.Mutex
	stage *stage
}

func (d *lockedDispatcher) BroadcastMessage(op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return nil
}

func (d *lockedDispatcher) BroadcastMessageDeferred(op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool) error {
	return d.BroadcastMessage(op, data, presences, sender, reliable)
}

func (d *lockedDispatcher) MatchKick(presences []runtime.Presence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stage.MatchKick(presences)
}

func (d *lockedDispatcher) MatchLabelUpdate(string) error { return nil }

// After the match has ended, what another goroutine still sends is Nakama's to refuse.
func TestDispatcherAfterTheMatch(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		newHall(w)
		m := w.stage.match.(*match)
		m.end()
		m.wrap(refusing{})
		if err := m.dispatcher.BroadcastMessage(1, nil, nil, nil, false); err != errNone {
			t.Errorf("a broadcast gives %v", err)
		}
		if err := m.dispatcher.MatchKick([]runtime.Presence{w.presence("ben")}); err != errNone {
			t.Errorf("a kick gives %v", err)
		}
	})
}
