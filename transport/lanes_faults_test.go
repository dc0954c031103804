package transport

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// A message's age counts from when it was queued: in Join, in a handler after a silence, and in a Hold.
func TestMaxAgeCountsFromSending(t *testing.T) {
	for _, name := range []string{"Serve", "Poll"} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				var receipts []bool
				p := make(chan *Player, 1)
				s := w.listen(func(c *Config) {
					c.Lanes = []Lane{{Mode: Reliable, MaxAge: 50 * time.Millisecond, Receipts: true}}
				})
				say := func(p *Player) {
					if _, err := p.SendMessage(0, []byte("x")); err != nil {
						w.Error(err)
					}
				}
				h := Handler{
					Join:    func(q *Player) { say(q); p <- q },
					Message: func(q *Player, _ int, _ uint64, _ []byte) { say(q) },
					Receipt: func(_ *Player, _ int, _ uint64, arrived bool) { receipts = append(receipts, arrived) },
				}
				w.serving.Go(func() {
					if name == "Serve" {
						w.served = s.Serve(h)
						return
					}
					for ; w.served == nil; time.Sleep(time.Second / 60) {
						_, w.served = s.Poll(h)
						s.Flush()
					}
				})
				c := w.dial(1, withLanes)
				q := <-p
				for range 5 {
					time.Sleep(5*time.Second + 100*time.Millisecond)
					if _, err := c.SendMessage(0, []byte("y")); err != nil {
						w.Error(err)
					}
					c.Flush()
					time.Sleep(5*time.Second + 130*time.Millisecond)
					s.Hold()
					say(q)
					if missed, err := s.BroadcastMessage(0, []byte("z")); err != nil || missed != nil {
						w.Error(missed, err)
					}
					s.Release()
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if len(receipts) != 16 || slices.Contains(receipts, false) {
					w.Errorf("receipts %v", receipts)
				}
			})
		})
	}
}

// closesAfter returns ends whose player is to be closed for reason 200 once a message has arrived, or after wait. left
// delivers what is pending and returns why the player has left.
func closesAfter(t *testing.T, wait time.Duration) (l *laneEnds, p *Player, left func() []wire.Reason) {
	t.Helper()
	var reasons []wire.Reason
	l, _, p = hostileEnds(t, Handler{Leave: func(_ *Player, r wire.Reason) { reasons = append(reasons, r) }}, modes...)
	if _, err := p.SendMessage(2, nil); err != nil {
		t.Fatal(err)
	}
	p.CloseAfter(wait, 200)
	l.tick(func() {})
	return l, p, func() []wire.Reason {
		l.shard.Delivered(l.now)
		return reasons
	}
}

// A player who is to be closed does not get around it by resuming the session without lanes.
func TestCloseAfterOutlivesTheLanes(t *testing.T) {
	l, p, left := closesAfter(t, time.Hour)
	without := &conn{player: p} // where the client has offered no lanes
	l.shard.Out.Mu.Lock()
	p.agree(&without.session)
	l.shard.Out.Mu.Unlock()
	if got, want := left(), []wire.Reason{200}; !slices.Equal(got, want) {
		t.Errorf("left for %v, want %v", got, want)
	}
}

// A player who is to be closed is closed once new lanes have taken the place of those that it waited for.
func TestCloseAfterOutlivesTheGeneration(t *testing.T) {
	l, p, left := closesAfter(t, time.Hour)
	l.shard.Out.Mu.Lock()
	p.agree(&p.conn.session) // the client does not hold the lanes that the player has
	l.shard.Out.Mu.Unlock()
	l.tick(func() {})
	if got, want := left(), []wire.Reason{200}; !slices.Equal(got, want) {
		t.Errorf("left for %v, want %v", got, want)
	}
}

// "after wait at the latest" is never, if that is how long one may wait.
func TestCloseAfterTheLongestWait(t *testing.T) {
	_, _, left := closesAfter(t, math.MaxInt64)
	if got := left(); len(got) != 0 {
		t.Errorf("left for %v before the message has arrived", got)
	}
}

// A handler that panics, to the recovery of Poll's caller, holds up nothing: neither a lane nor the receipts of others.
func TestHandlerPanics(t *testing.T) {
	var ids []uint64
	var receipts []uint64
	angry := true
	boom := func() {
		if angry {
			angry = false
			panic("handler")
		}
	}
	l, _, p := hostileEnds(t, Handler{
		Message: func(_ *Player, _ int, id uint64, _ []byte) { ids = append(ids, id); boom() },
		Receipt: func(_ *Player, _ int, id uint64, _ bool) { receipts = append(receipts, id); boom() },
	}, Lane{Mode: Ordered, MaxMessage: 1000, Credit: 1000, Receipts: true})
	recovered := func(f func()) {
		defer func() { recover() }() //nolint:errcheck // it is the panic
		f()
	}
	for id := uint64(5); id > 1; id-- {
		l.frame(whole(0, id, 200))
	}
	recovered(func() { l.frame(whole(0, 1, 200)) })
	if l.shard.Out.Mu.TryLock() {
		l.shard.Out.Mu.Unlock()
	} else {
		t.Fatal("the outbox is locked")
	}
	l.frame(whole(0, 1, 200)) // not acknowledged, so it comes again
	if want := []uint64{1, 2, 3, 4, 5}; !slices.Equal(ids, want) {
		t.Errorf("messages %v, want %v", ids, want)
	}
	l.frame(whole(0, 6, 1000)) // what the handler has not dealt with has become credit, too
	if p.ended.Load() || !slices.Contains(ids, 6) {
		t.Errorf("messages %v, ended %v", ids, p.ended.Load())
	}
	for range 4 {
		if _, err := p.SendMessage(0, nil); err != nil {
			t.Fatal(err)
		}
	}
	angry = true
	recovered(func() { l.conn().player.endMessages(); l.shard.receipts.deliver() })
	l.shard.receipts.deliver()
	if want := []uint64{1, 2, 3, 4}; !slices.Equal(receipts, want) {
		t.Errorf("receipts %v, want %v", receipts, want)
	}
}

// pollsOn runs Poll in a frame loop that goes on when a handler has panicked.
func (w *world) pollsOn(s *Server, h Handler) {
	w.served = nil
	poll := func() {
		defer func() { recover() }() //nolint:errcheck // it is the handler's
		_, w.served = s.Poll(h)
	}
	w.serving.Go(func() {
		for ; w.served == nil; time.Sleep(frame) {
			poll()
			s.Flush()
		}
	})
}

// panicsOnce returns a function that panics when it is called first.
func panicsOnce() func() {
	calm := false
	return func() {
		if !calm {
			calm = true
			panic("handler")
		}
	}
}

// A Leave that panics keeps nobody else who is to leave.
func TestLeavePanics(t *testing.T) {
	virtual(t, func(w *world) {
		s, h, boom := w.listen(), w.match.handler(), panicsOnce()
		h.Leave = func(p *Player, reason session.Reason) { w.match.leave(p, reason); boom() }
		w.pollsOn(s, h)
		clients := []*Client{w.dial(0), w.dial(1), w.dial(2)}
		for n := range clients {
			w.match.player(n).Kick(session.ReasonKicked)
		}
		for _, c := range clients {
			w.closed(w.ending(c), session.ReasonKicked)
		}
		if left := w.match.left(); len(left) != 3 || s.Stats().Sessions != 0 {
			w.Errorf("%d have left, %d sessions", len(left), s.Stats().Sessions)
		}
	})
}

// A Leave that panics does not keep the same player from beginning anew.
func TestLeavePanicsForNewcomer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s, h, boom := w.listen(), w.match.handler(), panicsOnce()
		h.Leave = func(p *Player, reason session.Reason) { w.match.leave(p, reason); boom() }
		w.pollsOn(s, h)
		crashed := w.dial(1)
		crashed.config.Conn.Close()
		w.echo(w.join(1), "here")
		if n := s.Stats().Sessions; n != 1 || w.match.joined() != 2 || len(w.match.left()) != 1 {
			w.Errorf("%d sessions, %d joined, %d have left", n, w.match.joined(), len(w.match.left()))
		}
	})
}

// A Receipt that panics does not keep the match from hearing that the player has left.
func TestReceiptPanics(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s, h, boom := w.listen(allLanes), w.match.handler(), panicsOnce()
		h.Receipt = func(*Player, int, uint64, bool) { boom() }
		w.pollsOn(s, h)
		c, p := w.dial(1, withLanes), w.match.player(0)
		w.block(true)
		if _, err := p.SendMessage(laneReliable, []byte("goodbye")); err != nil {
			t.Fatal(err)
		}
		p.Kick(session.ReasonKicked)
		time.Sleep(50 * time.Millisecond)
		w.block(false)
		w.closed(w.ending(c), session.ReasonKicked)
		if left := w.match.left(); len(left) != 1 {
			t.Errorf("left: %v", left)
		}
	})
}

// A player whose Join panics is refused, with a token that counts as unused, and not half in.
func TestJoinPanics(t *testing.T) {
	virtual(t, func(w *world) {
		s, h, boom := w.listen(), w.match.handler(), panicsOnce()
		h.Join = func(p *Player) { boom(); w.match.join(p) }
		w.pollsOn(s, h)
		raw := []byte(w.issuer.Token(w, grantFor(1)))
		same := func(c *ClientConfig) { c.Token = func(context.Context) ([]byte, error) { return raw, nil } }
		_, err := w.try(1, same)
		w.closed(err, session.ReasonUnavailable)
		c := w.join(2, same)
		w.echo(c, "here")
		if n := s.Stats().Sessions; n != 1 || w.match.joined() != 1 {
			w.Errorf("%d sessions, %d joined", n, w.match.joined())
		}
	})
}

// A Join that panics at a session of a snapshot takes no other session with it.
func TestRestoredJoinPanics(t *testing.T) {
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		w.serve(fleet)
		clients := []*Client{w.dial(0), w.dial(1), w.dial(2)}
		time.Sleep(time.Second)
		if err := w.server.Shutdown(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.serving.Wait()
		s, h, boom := w.listen(fleet), w.match.handler(), panicsOnce()
		h.Join = func(p *Player) { boom(); w.match.join(p) }
		w.pollsOn(s, h)
		time.Sleep(time.Second)
		refused := 0
		for _, c := range clients {
			if err := c.Send([]byte("here")); err != nil {
				w.closed(err, session.ReasonUnavailable)
				refused++
			}
		}
		if n := s.Stats().Sessions; n != 2 || refused != 1 || w.match.newest().Origin() != OriginRestored {
			w.Errorf("%d sessions, %d refused, the last one %v", n, refused, w.match.newest().Origin())
		}
	})
}

// "If a Handler panics, so does Shutdown, when it has done the rest": whoever is there comes back in
// the next process, or is told that the server shuts down.
func TestShutdownPanics(t *testing.T) {
	t.Parallel()
	for name, handsOn := range map[string]bool{"handing on": true, "ending": false} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				var fleet []func(*Config)
				if handsOn {
					fleet = append(fleet, w.fleet(t))
				}
				s, h, boom := w.listen(fleet...), w.match.handler(), panicsOnce()
				h.Leave = func(p *Player, reason session.Reason) { w.match.leave(p, reason); boom() }
				w.pollsOn(s, h)
				clients := []*Client{w.dial(0), w.dial(1), w.dial(2)}
				time.Sleep(time.Second)
				func() {
					defer func() {
						if recover() == nil {
							w.Error("no panic")
						}
					}()
					w.Error(s.Shutdown(w.Context()))
				}()
				if left := w.match.left(); len(left) != 3 {
					w.Errorf("%d have left", len(left))
				}
				if err := s.Close(); err != ErrServerClosed {
					w.Error(err)
				}
				if handsOn {
					w.serve(fleet...)
				}
				for _, c := range clients {
					if !handsOn {
						w.closed(w.ending(c), session.ReasonShutdown)
						continue
					}
					if w.echo(c, "here"); c.Stats().Resumed != 0 {
						w.Error("came back by ticket")
					}
				}
			})
		})
	}
}

// What a message has become is told soon, also if another goroutine's sending has decided it while Serve sleeps, within
// a Hold or not.
func TestReceiptsWakeServe(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprintf("hold=%v", hold), func(t *testing.T) {
			virtual(t, func(w *world) {
				var told time.Time
				s := w.listen(func(c *Config) {
					c.Lanes = []Lane{{Mode: Unreliable, MaxMessage: 1000, Queue: 1128, Receipts: true}}
				})
				w.serving.Go(func() {
					w.served = s.Serve(Handler{
						Join: w.match.join, Receipt: func(*Player, int, uint64, bool) {
							if told.IsZero() {
								told = time.Now()
							}
						},
					})
				})
				w.dial(1, withLanes)
				p := w.match.player(0)
				time.Sleep(10*time.Second + 20*time.Millisecond)
				w.net.SetImpairment(netsim.Impairment{Loss: 1})
				synctest.Wait()
				at := time.Now()
				if hold {
					s.Hold()
				}
				for range 2 { // the second one takes the place of the first
					if _, err := p.SendMessage(0, make([]byte, 1000)); err != nil {
						w.Fatal(err)
					}
				}
				if hold {
					s.Release()
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if late := told.Sub(at); told.IsZero() || late > time.Millisecond {
					w.Errorf("told after %v", late)
				}
			})
		})
	}
}

// "where nobody takes them, FRAMES are not received, and the server sends again what it wants to arrive": memory is bounded
// also for messages that cost no credit, and nothing is lost.
func TestLettersAreBounded(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Lanes = []Lane{{Mode: Reliable, Queue: 64 << 20}, {Mode: Latest}} })
		c := w.dial(1, withLanes)
		p := w.match.player(0)
		const n = maxLetters + 5000
		for id := uint64(1); id <= n; id++ {
			if _, err := p.SendMessage(0, nil); err != nil {
				w.Fatal(id, err)
			}
			if id%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(3 * time.Second)
		c.mu.Lock()
		if kept := c.state.lanes.letters.kept; kept < maxLetters || kept > maxLetters+wire.MaxBody {
			w.Errorf("%d letters wait", kept)
		}
		c.mu.Unlock()
		got := 0
		w.serving.Go(func() { c.Serve(ClientHandler{Message: func(int, uint64, []byte) { got++ }}) }) //nolint:errcheck // the end of the session
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if messages, _ := p.Pending(0); got != n || messages != 0 {
			w.Errorf("%d messages of %d, %d pending", got, n, messages)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if q := &c.state.lanes.letters; q.kept != 0 || q.first != nil {
			w.Errorf("%d letters are left", q.kept)
		}
	})
}

// What a client's handler has panicked at is credit for the server all the same.
func TestClientHandlerPanics(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Lanes = []Lane{{Mode: Ordered, MaxMessage: 1000, Credit: 1000}} })
		c := w.dial(1, withLanes)
		p := w.match.player(0)
		got := 0
		for range 5 {
			if _, err := p.SendMessage(0, make([]byte, 1000)); err != nil {
				w.Fatal(err)
			}
		}
		for range 100 {
			func() {
				defer func() { recover() }() //nolint:errcheck // it is the handler's
				_, _ = c.Poll(ClientHandler{Message: func(int, uint64, []byte) { got++; panic("handler") }})
			}()
			c.Flush()
			time.Sleep(time.Second / 60)
		}
		if got != 5 {
			w.Errorf("%d messages, want 5", got)
		}
	})
}
