package gateway

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Payloads, messages of every mode, and keys of latest go both ways.
func TestBothWays(t *testing.T) {
	play(t, nil, func(t *testing.T, s *scene) {
		c := s.join(t, "alice")
		got := make(chan string, 8)
		go c.Serve(transport.ClientHandler{ //nolint:errcheck // ends with the test
			Receive: func(b []byte) { got <- "payload " + string(b) },
			Message: func(lane int, _ uint64, b []byte) { got <- "message " + string(rune('0'+lane)) + " " + string(b) },
			Latest:  func(_ int, key uint32, b []byte) { got <- "latest " + string(rune('0'+key)) + " " + string(b) },
		})
		for _, send := range []func() error{
			func() error { return c.Send([]byte("a")) },
			func() error { _, err := c.SendMessage(0, []byte("b")); return err },
			func() error { return c.SendLatest(1, 7, []byte("c")) },
			func() error { _, err := c.SendMessage(2, []byte("d")); return err },
		} {
			if err := send(); err != nil {
				t.Fatal(err)
			}
		}
		var all []string
		for range 4 {
			all = append(all, <-got)
		}
		slices.Sort(all)
		if want := []string{"latest 7 c", "message 0 b", "message 2 d", "payload a"}; !slices.Equal(all, want) {
			t.Errorf("%q, want %q", all, want)
		}
	})
}

// "while Backend.Ready returns an error, newcomers are refused … Players stay. Only when the
// backend has been away for Config.Hold without a break do the sessions end, with
// session.ReasonUnavailable, after which a client may come again"
func TestBackendGone(t *testing.T) {
	play(t, nil, func(t *testing.T, s *scene) {
		alice := s.join(t, "alice")
		for range 3 { // outages that are short, however many
			s.game.away.Store(true)
			time.Sleep(DefaultHold - 2*lookEvery)
			if _, err := s.dial(t, "bob"); reason(err) != session.ReasonUnavailable {
				t.Fatalf("bob: %v, want unavailable", err)
			}
			if w := s.get("/ready"); w.Code != http.StatusServiceUnavailable {
				t.Fatalf("/ready: %d", w.Code)
			}
			if w := s.get("/live"); w.Code != http.StatusOK {
				t.Fatalf("/live: %d", w.Code)
			}
			s.game.away.Store(false)
			time.Sleep(2 * lookEvery)
			if err := alice.Send([]byte("still here")); err != nil {
				t.Fatal(err)
			}
		}
		s.game.away.Store(true)
		began := time.Now()
		for {
			b := make([]byte, 100)
			_, err := alice.Receive(t.Context(), b)
			if err == nil {
				continue
			}
			if r := reason(err); r != session.ReasonUnavailable {
				t.Fatalf("alice: %v, want unavailable", err)
			}
			break
		}
		if took := time.Since(began); took < DefaultHold || took > DefaultHold+5*lookEvery {
			t.Errorf("alice stayed %v, want %v", took, DefaultHold)
		}
		s.game.away.Store(false)
		time.Sleep(lookEvery)
		s.join(t, "alice")
		if got := s.game.seen(); !slices.Equal(got, []string{"join alice", "left 16 alice", "join alice"}) {
			t.Error(got)
		}
		if w := s.get("/metrics"); !strings.Contains(w.Body.String(), "sallyport_gateway_backend_outages_total 4") {
			t.Errorf("the outages are not counted: %d %s", w.Code, w.Body)
		}
	})
}

// "Left is called once for each player that Join was called for": whoever says it first, the server
// or Close.
func TestLeftOnce(t *testing.T) {
	play(t, nil, func(t *testing.T, s *scene) {
		s.join(t, "alice")
		var p *Player
		s.All(func(some *Player) bool { p = some; return false })
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() { s.leave(p.conn, session.ReasonShutdown) })
		}
		both.Wait()
		if got := s.game.seen(); len(got) != 2 || s.Players() != 0 {
			t.Errorf("%q, %d players", got, s.Players())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := s.game.seen(); len(got) != 2 || s.Players() != 0 {
			t.Errorf("after Close %q, %d players", got, s.Players())
		}
	})
}

// The first outage of a game that has come late is an alarm as any other, and its coming late is none.
func TestBackendComesLate(t *testing.T) {
	play(t, func(c *Config) { c.Backend.(*echo).away.Store(true) }, func(t *testing.T, s *scene) {
		const ends = "sessions end"
		time.Sleep(DefaultHold + time.Second)
		if n := s.recorded(ends); n != 0 {
			t.Errorf("%d alarms before the game has come, of sessions that end", n)
		}
		s.game.away.Store(false)
		time.Sleep(2 * lookEvery)
		s.join(t, "alice")
		s.game.away.Store(true)
		time.Sleep(DefaultHold + time.Second)
		if n := s.recorded(ends); n != 1 || s.Players() != 0 {
			t.Errorf("%d alarms, want 1; %d players are left", n, s.Players())
		}
	})
}

// recorded returns how many lines of the audit have a text.
func (s *scene) recorded(text string) (n int) {
	lines, _ := s.audit.Since(0)
	for _, line := range lines {
		n += bytes.Count(line, []byte(text))
	}
	return n
}

func (s *scene) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	s.Handler().ServeHTTP(w, r)
	return w
}

// Nobody is put out by a lower limit, and nobody new comes above it.
func TestMaxPlayers(t *testing.T) {
	play(t, func(c *Config) { c.MaxPlayers = 2 }, func(t *testing.T, s *scene) {
		s.join(t, "a")
		b := s.join(t, "b")
		if _, err := s.dial(t, "c"); reason(err) != session.ReasonFull {
			t.Errorf("%v, want full", err)
		}
		if err := s.SetLimits(Limits{MaxPlayers: 1}); err != nil {
			t.Fatal(err)
		}
		if n := s.Players(); n != 2 {
			t.Errorf("%d players, want 2", n)
		}
		b.Close() //nolint:errcheck // it leaves
		time.Sleep(time.Second)
		if _, err := s.dial(t, "c"); reason(err) != session.ReasonFull {
			t.Errorf("%v, want full", err)
		}
		if err := s.SetLimits(Limits{MaxPlayers: 2}); err != nil {
			t.Fatal(err)
		}
		s.join(t, "c")
		if s.SetLimits(Limits{MaxPlayers: -1}) == nil || s.Limits().MaxPlayers != 2 {
			t.Error("a limit that makes no sense is in force")
		}
	})
}

// A gateway that drains admits no newcomers, and keeps who plays until Serve ends.
func TestDrain(t *testing.T) {
	play(t, nil, func(t *testing.T, s *scene) {
		alice := s.join(t, "alice")
		s.Drain()
		if _, err := s.dial(t, "bob"); reason(err) != session.ReasonShutdown {
			t.Errorf("%v, want shutdown", err)
		}
		if err := s.Ready(); err == nil {
			t.Error("ready while it drains")
		}
		time.Sleep(time.Minute)
		if err := alice.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		s.end()
		for {
			if _, err := alice.Receive(t.Context(), make([]byte, 100)); err != nil {
				if reason(err) != session.ReasonShutdown {
					t.Errorf("%v, want shutdown", err)
				}
				return
			}
		}
	})
}

// "While the gateway drains they end with session.ReasonShutdown in its place: so whoever is on the way
// to another server still arrives there."
func TestBackendGoneInDrain(t *testing.T) {
	for _, others := range []bool{false, true} { // that somebody else has begun
		var drains atomic.Bool
		play(t, func(c *Config) { c.Draining = drains.Load }, func(t *testing.T, s *scene) {
			alice := s.join(t, "alice")
			if drains.Store(others); !others {
				s.Drain()
			}
			s.game.away.Store(true)
			for {
				if _, err := alice.Receive(t.Context(), make([]byte, 100)); err != nil {
					if reason(err) != session.ReasonShutdown {
						t.Errorf("%v, want shutdown", err)
					}
					break
				}
			}
			if n := s.counts.putOut.Load(); n != 1 {
				t.Errorf("%d counted as put out", n)
			}
		})
	}
}

// A backend may end a session, and not for a reason that is not its to give.
func TestKickReasons(t *testing.T) {
	play(t, func(c *Config) { c.Transport.Session.MaxPerSubject = -1 }, func(t *testing.T, s *scene) {
		for given := range 256 {
			want, r := session.ReasonKicked, session.Reason(given)
			switch given {
			case 1, 2, 3, 11, 12, 16:
				want = r
			}
			if given >= 128 {
				want = r
			}
			if given > 20 && given != 127 && given != 128 && given != 255 {
				continue
			}
			c := s.join(t, "alice")
			s.game.player(t, "alice").Kick(r)
			if _, err := c.Receive(t.Context(), make([]byte, 1)); reason(err) != want {
				t.Errorf("kick with %d: %v, want %d", given, err, want)
			}
		}
	})
}

// Verdicts concern the player that they name, once, and the gravest counts.
func TestJudge(t *testing.T) {
	play(t, nil, func(t *testing.T, s *scene) {
		alice, bob := s.join(t, "alice"), s.join(t, "bob")
		p := s.game.player(t, "alice")
		exchange := func(c *transport.Client, text string) string {
			if err := c.Send([]byte(text)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			b := make([]byte, 100)
			n, _ := c.Receive(ctx, b)
			return string(b[:n])
		}
		p.Judge(policy.VerdictLimit)
		p.Judge(policy.VerdictFlag)
		p.Judge(99)
		if got := exchange(bob, "1"); got != "1" {
			t.Errorf("bob gets %q", got)
		}
		if got := exchange(alice, "2"); got != "" {
			t.Errorf("alice gets %q of what is dropped", got)
		}
		if got := exchange(alice, "3"); got != "3" {
			t.Errorf("alice gets %q", got)
		}
		if n := s.judged.Load(); n != 0 {
			t.Errorf("%d verdicts wait", n)
		}
		p.Judge(policy.VerdictFlag)
		if got := exchange(alice, "4"); got != "4" {
			t.Errorf("alice gets %q of what is flagged", got)
		}
		p.Judge(policy.VerdictRevoke)
		alice.Send([]byte("5")) //nolint:errcheck // it may be over
		if _, err := alice.Receive(t.Context(), make([]byte, 1)); reason(err) != session.ReasonRevoked {
			t.Errorf("%v, want revoked", err)
		}
		time.Sleep(time.Second)
		p.Judge(policy.VerdictLimit)
		if n := s.judged.Load(); n != 0 {
			t.Errorf("%d verdicts wait for who has left", n)
		}
	})
}

// A handle names one stay; whoever has left is not found by it, and nobody else for a long time.
func TestHandles(t *testing.T) {
	table, r := newTable(), rand.New(rand.NewPCG(1, 2))
	now, past := map[uint32]*Player{}, map[uint32]bool{}
	for i := range 200_000 {
		if len(now) > 0 && r.IntN(2) == 0 {
			for h, p := range now {
				if table.find(h) != p {
					t.Fatalf("%x is not found", h)
				}
				table.remove(p)
				delete(now, h)
				past[h] = true
				break
			}
		} else {
			p := &Player{session: id(uint32(i + 1))}
			if !table.add(p) {
				t.Fatal("full")
			}
			if past[p.handle] || now[p.handle] != nil || p.handle == 0 {
				t.Fatalf("%x has been given before", p.handle)
			}
			now[p.handle] = p
			if table.bySession(uint32(i+1)) != p {
				t.Fatal("not found by session")
			}
		}
	}
	for h := range past {
		if table.find(h) != nil {
			t.Fatalf("%x is found", h)
		}
	}
	if table.find(0) != nil {
		t.Error("0 is found")
	}
}

// id is a session of which nothing but the id is asked.
type id uint32

func (i id) ID() uint32 { return uint32(i) }

// Where every place is taken there is none, and one that is free again is found.
func TestTableIsFull(t *testing.T) {
	table := newTable()
	var last *Player
	for i := range places {
		last = &Player{session: id(uint32(i))}
		if !table.add(last) {
			t.Fatalf("full after %d", i)
		}
	}
	if table.add(&Player{session: id(1 << 20)}) {
		t.Error("room where there is none")
	}
	table.remove(last)
	if !table.add(last) {
		t.Error("no room where there is some")
	}
}

func TestConfigBounds(t *testing.T) {
	for name, c := range map[string]Config{
		"Backend":    {},
		"MaxPlayers": {Backend: &echo{}, MaxPlayers: maxPlayers + 1},
		"Hold":       {Backend: &echo{}, Hold: -1},
		"Shutdown":   {Backend: &echo{}, Shutdown: -1},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever is put out counts once, however often it is looked before the kick is in force.
func TestPutOutCounted(t *testing.T) {
	play(t, nil, func(t *testing.T, s *scene) {
		s.join(t, "alice")
		s.join(t, "bob")
		for range 3 {
			s.putOut(t.Context())
		}
		time.Sleep(lookEvery)
		if n := s.counts.putOut.Load(); n != 2 || s.Players() != 0 {
			t.Errorf("%d counted as put out, %d still there", n, s.Players())
		}
	})
}
