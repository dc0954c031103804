package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// frame is how often a player of these tests sends, and the server to each.
const frame = time.Second / 30

// stayer is a player in the middle of a match: it sends an input each frame, and
// takes what the server sends.
type stayer struct {
	*Client

	number  int
	done    chan struct{} // closed by stop
	stopped sync.Once
	wg      sync.WaitGroup
	sent    atomic.Int64
	got     atomic.Int64
	last    atomic.Int64 // Unix ns: when a snapshot last came
	twice   atomic.Int64 // snapshots that came again
	longest atomic.Int64 // ns between two snapshots
	mu      sync.Mutex
	events  []ClientEvent
}

// stay connects player n, and has it play.
func (w *world) stay(n int, configure ...func(*ClientConfig)) *stayer {
	w.Helper()
	s := &stayer{number: n, done: make(chan struct{})}
	s.Client = w.join(n, append(configure, func(c *ClientConfig) {
		c.OnEvent = func(e ClientEvent) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		}
	})...)
	s.last.Store(time.Now().UnixNano())
	s.wg.Go(s.send)
	s.wg.Go(s.receive)
	return s
}

// input is a player's i-th payload.
func input(player int, i int64) string { return fmt.Sprint("player ", player, " input ", i) }

// stayAll connects n players at once.
func (w *world) stayAll(n int, configure ...func(*ClientConfig)) []*stayer {
	w.Helper()
	all := make([]*stayer, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = w.stay(i, configure...) })
	}
	wg.Wait()
	return all
}

func (s *stayer) send() {
	ticker := time.NewTicker(frame)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ticker.C:
		}
		if s.Send([]byte(input(s.number, s.sent.Load()))) == nil {
			s.sent.Add(1)
		}
	}
}

func (s *stayer) receive() {
	seen := make(map[uint64]bool)
	for b := make([]byte, wire.MaxBody); ; {
		n, err := s.Receive(context.Background(), b)
		if err != nil {
			return
		}
		now := time.Now().UnixNano()
		s.longest.Store(max(s.longest.Load(), now-s.last.Swap(now)))
		if number := binary.BigEndian.Uint64(b[:n]); seen[number] {
			s.twice.Add(1)
		} else {
			seen[number] = true
		}
		s.got.Add(1)
	}
}

// renewNow has a client bring another token.
func (s *stayer) renewNow() {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	s.state.renewal.soon(time.Now(), s.state.conns.current.machine)
	s.tick(time.Now())
}

// stop ends the sending.
func (s *stayer) stop() { s.stopped.Do(func() { close(s.done) }) }

// rest does so, and waits until what is on its way has come.
func (s *stayer) rest() {
	s.stop()
	time.Sleep(time.Second)
}

// quit leaves the match.
func (s *stayer) quit() {
	s.stop()
	s.Client.Close()
	s.wg.Wait()
}

// told counts the events of a kind.
func (s *stayer) told(kind ClientEventKind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// since is how long ago a snapshot came.
func (s *stayer) since() time.Duration { return time.Since(time.Unix(0, s.last.Load())) }

// missing counts the player's inputs that did not come, and fails for any that came
// twice.
func (w *world) missing(s *stayer) (lost int) {
	w.Helper()
	for i := range s.sent.Load() {
		switch n := w.match.count(input(s.number, i)); n {
		case 0:
			lost++
		case 1:
		default:
			w.Errorf("player %d, input %d came %d times", s.number, i, n)
		}
	}
	if n := s.twice.Load(); n > 0 {
		w.Errorf("player %d got %d snapshots twice", s.number, n)
	}
	return lost
}

// running is a server with a match that sends to all players each frame.
type running struct {
	*Server
	stop chan struct{}
	wg   sync.WaitGroup
}

var snapshots atomic.Uint64 // sent by all matches: each has its number

// run makes a server and runs its match. It takes the world's place for a server.
func (w *world) run(configure ...func(*Config)) *running {
	w.Helper()
	if w.server == nil {
		w.match.mute = true
	}
	r := &running{Server: w.serve(configure...), stop: make(chan struct{})}
	r.wg.Go(func() {
		ticker := time.NewTicker(frame)
		defer ticker.Stop()
		for {
			select {
			case <-r.stop:
				return
			case <-ticker.C:
				r.Broadcast(append(binary.BigEndian.AppendUint64(nil, snapshots.Add(1)), 0)) // as long as nothing else is
			}
		}
	})
	return r
}

// end stops the match, and the server by f.
func (w *world) end(r *running, f func() error) {
	w.Helper()
	close(r.stop)
	r.wg.Wait()
	if err := f(); err != nil {
		w.Errorf("the server ends: %v", err)
	}
}

func (r *running) shutdown() error { return r.Shutdown(context.Background()) }

// quit ends a test's match and all its players.
func (w *world) quit(r *running, stayers ...*stayer) {
	w.Helper()
	for _, s := range stayers {
		s.quit()
	}
	w.end(r, r.Close)
}

// fleet configures servers that share keys, and a snapshot file.
func (w *world) fleet(t *testing.T) func(*Config) {
	ring := testkit.Ring(t)
	path := filepath.Join(t.TempDir(), "snapshot")
	return func(c *Config) { c.Session.FleetKeys, c.Snapshot = ring, path }
}

// keyed configures servers that share a key, until retire takes another in its place:
// tickets from before are worth nothing then.
func (w *world) keyed() (share func(*Config), retire func()) {
	w.Helper()
	ring := testkit.Ring(w.T)
	share = func(c *Config) { c.Session.FleetKeys = ring }
	return share, func() {
		if err := ring.Set(testkit.FleetKey(w.T)); err != nil {
			w.Fatal(err)
		}
	}
}

// outdated is a player in a match whose ticket is of a key that is no more.
func (w *world) outdated() (r *running, s *stayer, share func(*Config)) {
	w.Helper()
	w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
	share, retire := w.keyed()
	r, s = w.run(share), w.stay(1)
	time.Sleep(time.Second)
	retire()
	return r, s, share
}

// goesOn fails unless a player who is on a second server plays there, in the session of
// the first.
func (w *world) goesOn(s *stayer) {
	w.Helper()
	if s.since() > 2*frame || w.match.player(1).Session().Name() != w.match.player(0).Session().Name() {
		w.Errorf("last snapshot %v ago, %+v %+v", s.since(), s.Stats(), s.events)
	}
	w.missing(s)
}

// audits counts the records of a decision, once all is quiet.
func (w *world) audits(d audit.Decision) int {
	synctest.Wait()
	return w.audit.count(d)
}
