package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// stays is what a handler checks about each player: Join before everything else, Leave after it, nothing after a ban.
type stays struct {
	*testing.T

	mu       sync.Mutex
	players  map[*Player]int // 1: joined, 2: left
	banned   sync.Map        // *Player
	receipts map[[2]uint64]bool
	seen     atomic.Int64
	resumed  atomic.Uint64
}

func (s *stays) check(p *Player, what string, want int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Add(1)
	if s.players[p] != want {
		s.Errorf("%s of a player in state %d", what, s.players[p])
	}
}

func (s *stays) set(p *Player, state int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.players[p] != state-1 {
		s.Errorf("state %d after %d", state, s.players[p])
	}
	s.players[p] = state
}

func (s *stays) random() *Player {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := rand.IntN(len(s.players) + 1)
	for p := range s.players {
		if n--; n <= 0 {
			return p
		}
	}
	return nil
}

// Everything that may be called from any goroutine is, while players come, move, resume, are refused, kicked and banned, and
// their handlers send, kick, ban and panic. The race detector watches.
func TestLanesFromEverywhere(t *testing.T) {
	for _, name := range []string{"Serve", "Poll"} {
		t.Run(name, func(t *testing.T) {
			loopback(t, func(w *world) {
				s := w.listen(func(c *Config) {
					allLanes(c)
					c.Shards = 3
				})
				st := &stays{T: t, players: make(map[*Player]int), receipts: make(map[[2]uint64]bool)}
				begin := func(p *Player) {
					_, _ = p.SendMessage(laneOrdered, make([]byte, 3000))
					_ = p.SendLatest(laneLatest, 1, []byte("x"))
				}
				h := Handler{
					Join: func(p *Player) {
						st.set(p, 1)
						begin(p)
						if rand.IntN(4) == 0 {
							p.Refuse(session.ReasonGame)
							st.mu.Lock()
							delete(st.players, p)
							st.mu.Unlock()
						}
					},
					Message: func(p *Player, lane int, id uint64, b []byte) {
						st.check(p, "Message", 1)
						if _, banned := st.banned.Load(p); banned {
							t.Error("a message after the ban")
						}
						_, _ = p.SendMessage(lane, b)
						p.Budget()
						p.Delivered(lane)
						p.Stats()
						switch rand.IntN(1000) {
						case 0:
							p.Kick(session.ReasonGame)
						case 1:
							st.banned.Store(p, true)
							_, _ = s.Ban(session.Ban{Issuer: p.Session().Issuer(), Subject: p.Session().Subject(), Until: time.Now().Add(100 * time.Millisecond)})
						case 2:
							p.CloseAfter(20*time.Millisecond, session.ReasonGame)
						case 3:
							_, _ = s.BroadcastMessage(laneSequenced, make([]byte, 4000), p)
						case 4:
							if name == "Poll" {
								panic("handler")
							}
						}
					},
					Latest:  func(p *Player, _ int, _ uint32, _ []byte) { st.check(p, "Latest", 1) },
					Receive: func(p *Player, b []byte) { st.check(p, "Receive", 1); _ = p.Send(b) },
					Receipt: func(p *Player, lane int, id uint64, _ bool) {
						p.Pending(lane)
					},
					Leave: func(p *Player, _ session.Reason) { st.set(p, 2) },
				}
				var all sync.WaitGroup
				ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
				defer cancel()
				again := func(f func()) {
					all.Go(func() {
						for ctx.Err() == nil {
							f()
						}
					})
				}
				var served sync.WaitGroup
				if name == "Serve" {
					served.Go(func() { _ = s.Serve(h) })
				} else {
					served.Go(func() {
						for err := error(nil); !errors.Is(err, ErrServerClosed); time.Sleep(time.Millisecond) {
							func() {
								defer func() { recover() }() //nolint:errcheck // the handler's
								_, err = s.Poll(h)
							}()
						}
					})
					again(func() { s.Flush(); time.Sleep(time.Millisecond) })
				}
				for i := range 6 {
					again(func() { st.resumed.Add(w.wander(ctx, s, i)) })
				}
				for range 2 {
					again(func() {
						if p := st.random(); p != nil {
							act(p)
						}
						time.Sleep(20 * time.Microsecond)
					})
				}
				again(func() {
					s.Hold()
					_, _ = s.BroadcastMessage(laneReliable, []byte("all"))
					s.Broadcast([]byte("all"))
					s.Release()
					time.Sleep(time.Millisecond)
				})
				again(func() {
					_ = s.Visit(ctx, func(p *Player) bool { p.Stats(); return true })
					s.Stats()
					time.Sleep(10 * time.Millisecond)
				})
				<-ctx.Done()
				down, stop := context.WithTimeout(context.Background(), 3*time.Second)
				defer stop()
				if err := s.Shutdown(down); err != nil {
					t.Error(err)
				}
				served.Wait()
				all.Wait()
				st.mu.Lock()
				defer st.mu.Unlock()
				for p, state := range st.players {
					if state != 2 {
						t.Error("a player has not left")
					}
					if p.HasLanes() {
						t.Error("lanes of a player who has left")
					}
				}
				for sh := range s.shards {
					q := &sh.schedule
					if q.players != 0 || len(q.waiting) != 0 || len(sh.receipts.waiting) != 0 {
						t.Errorf("of gone players are left: %d, %d in the heap, %d receipts", q.players, len(q.waiting), len(sh.receipts.waiting))
					}
				}
				t.Logf("%d players, %d resumed, %d events", len(st.players), st.resumed.Load(), st.seen.Load())
			})
		})
	}
}

// act calls anything of a player.
func act(p *Player) {
	switch rand.IntN(200) {
	case 0:
		p.Kick(session.ReasonGame)
	case 1:
		p.CloseAfter(time.Millisecond, session.ReasonGame)
	}
	lane := rand.IntN(7) - 1
	_, _ = p.SendMessage(lane, make([]byte, rand.IntN(2000)))
	_ = p.SendLatest(laneLatest, uint32(rand.IntN(50)), make([]byte, rand.IntN(20)))
	_ = p.Send([]byte("x"))
	p.Pending(lane)
	p.Delivered(lane)
	p.Budget()
	p.HasLanes()
	p.Addr()
}

// wander is a stay of a player: it sends, and moves, or resumes, until it leaves or is put out.
func (w *world) wander(ctx context.Context, s *Server, n int) (resumed uint64) {
	config := ClientConfig{
		RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Token: w.tokens(grantFor(n)),
	}
	config.Session.Lanes = rand.IntN(8) != 0
	c, err := Dial(ctx, s.Addr().String(), config)
	if err != nil {
		time.Sleep(time.Millisecond)
		return 0
	}
	defer c.Close() //nolint:errcheck // it may be put out
	var own sync.WaitGroup
	h := ClientHandler{Message: func(lane int, _ uint64, _ []byte) { c.Pending(lane) }}
	polled := rand.IntN(2) == 0
	own.Go(func() {
		for {
			if !polled {
				_ = c.Serve(h)
				return
			}
			if _, err := c.Poll(h); err != nil && !errors.Is(err, ErrServing) {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	own.Go(func() {
		for i := 0; ctx.Err() == nil && c.progress.over() == nil; i++ {
			c.Hold()
			_, _ = c.SendMessage(rand.IntN(6), make([]byte, rand.IntN(1000)))
			_ = c.SendLatest(laneLatest, uint32(i%5), fmt.Append(nil, i))
			c.Release()
			c.Flush()
			c.Budget()
			c.Delivered(laneOrdered)
			_ = c.Send([]byte("y"))
			c.Stats()
			time.Sleep(2 * time.Millisecond)
		}
	})
	for range rand.IntN(5) {
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		switch rand.IntN(3) {
		case 0:
			if conn, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
				_ = c.Rebind(conn)
			}
		default:
			c.mu.Lock()
			c.state.resumption.rekeyAt = 1 // its keys are used up
			c.mu.Unlock()
		}
	}
	time.Sleep(20 * time.Millisecond)
	if rand.IntN(2) == 0 {
		_ = c.CloseAfter(10 * time.Millisecond)
	} else {
		_ = c.Close()
	}
	own.Wait()
	return c.Stats().Resumed
}
