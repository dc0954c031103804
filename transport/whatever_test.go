package transport

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/simnet"
	"github.com/sallyport/sallyport/record"
)

var seeds = flag.Uint64("seeds", 8, "how many matches TestWhateverHappens plays")

// Whatever happens to players, their paths and their server, in any order and one thing in
// the midst of another: a moment later each plays as who they were, and nothing has come
// twice. What fails is played again by its name, such as TestWhateverHappens/23.
func TestWhateverHappens(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			virtual(t, func(w *world) {
				f := w.fated(rand.New(rand.NewPCG(seed, 0)))
				for range 40 {
					f.step()
					time.Sleep(f.upTo(1500))
				}
				w.net.SetImpairment(simnet.Impairment{Latency: 20 * time.Millisecond})
				time.Sleep(15 * time.Second)
				f.judge()
				w.quit(f.running, f.players...)
			})
		})
	}
}

// fated is a match to which things happen.
type fated struct {
	*world
	*rand.Rand

	fleet   func(*Config)
	running *running
	players []*stayer
	sockets []*simnet.Conn // the players'
	names   [][16]byte     // of their sessions
	ports   uint16         // used
	dark    map[netip.Addr]time.Time
	log     []string
}

func (w *world) fated(chance *rand.Rand) *fated {
	f := &fated{world: w, Rand: chance, fleet: w.fleet(w.T), ports: 3000, dark: make(map[netip.Addr]time.Time)}
	w.net.SetImpairment(simnet.Impairment{Latency: 20 * time.Millisecond})
	f.running = w.run(f.fleet)
	for n := range 4 {
		g := grantFor(n)
		g.Life = 40 * time.Second
		f.players = append(f.players, w.stay(n, func(c *ClientConfig) {
			c.Token = w.tokens(g)
			f.sockets = append(f.sockets, c.Conn.(*simnet.Conn))
		}))
		f.names = append(f.names, w.match.player(n).Session().Name())
	}
	w.net.Tap(func(from, to netip.AddrPort, _ []byte) bool {
		now := time.Now()
		return now.After(f.dark[from.Addr()]) && now.After(f.dark[to.Addr()])
	})
	return f
}

// step has one thing happen.
func (f *fated) step() {
	n := f.IntN(len(f.players))
	s := f.players[n]
	things := map[string]func(){
		"another socket":  func() { f.rebind(n) },
		"another mapping": func() { f.must(f.sockets[n].Rebind(f.place(n))) },
		"another line":    func() { s.replaceLine(); s.rekeys(record.MaxRecords) },
		"disconnected": func() {
			if !s.holdsShown() { // a server that closes a connection forgets its session
				f.disconnect(s.Client)
			}
		},
		"another token": func() { s.renewNow() },
		"dark":          func() { f.dark[f.sockets[n].AddrPort().Addr()] = time.Now().Add(f.upTo(5000)) },
		"server dark":   func() { f.dark[serverAddr.Addr()] = time.Now().Add(f.upTo(3000)) },
		"restart":       func() { f.restart(f.running.shutdown) },
		"crash":         func() { f.restart(f.running.Close) },
		"another path":  f.impair,
	}
	names := slices.Sorted(maps.Keys(things))
	name := names[f.IntN(len(names))]
	f.log = append(f.log, fmt.Sprintf("%s player %d: %s", time.Now().Format("04:05.000"), n, name))
	things[name]()
}

func (f *fated) must(err error) {
	f.Helper()
	if err != nil {
		f.Error(err)
	}
}

// upTo is some time, in milliseconds.
func (f *fated) upTo(most int) time.Duration { return time.Duration(f.IntN(most)) * time.Millisecond }

// place is a port of player n's host that nobody has used, now and then in another network.
func (f *fated) place(n int) netip.AddrPort {
	f.ports++
	addr := playerAddr(n).Addr().As4()
	if f.IntN(4) == 0 {
		addr[1] += 100
	}
	return netip.AddrPortFrom(netip.AddrFrom4(addr), f.ports)
}

func (f *fated) rebind(n int) {
	f.sockets[n] = f.socket(f.place(n))
	f.must(f.players[n].Rebind(f.sockets[n]))
}

func (f *fated) restart(end func() error) {
	f.end(f.running, end)
	time.Sleep(f.upTo(1000))
	f.running = f.run(f.fleet)
}

func (f *fated) impair() {
	f.net.SetImpairment(simnet.Impairment{
		Latency: f.upTo(60), Jitter: f.upTo(30), Loss: f.Float64() / 10, Duplicate: f.Float64() / 10,
		Reorder: f.Float64() / 10, Corrupt: f.Float64() / 50,
	})
}

// judge says what became of them.
func (f *fated) judge() {
	for n, s := range f.players {
		if err := s.over(); err != nil || s.since() > 2*frame {
			f.Errorf("player %d: %v, last snapshot %v ago, %+v %+v", n, err, s.since(), s.Stats(), s.events)
		}
		f.missing(s)
	}
	for _, p := range f.match.players {
		if !slices.Contains(f.names, p.Session().Name()) {
			f.Errorf("%s is somebody else", p.Session().Subject())
		}
	}
	if st := f.running.Stats(); st.Sessions != len(f.players) {
		f.Errorf("%d sessions: %+v", st.Sessions, st)
	}
	if !f.Failed() {
		return
	}
	for _, line := range f.log {
		f.Log(line)
	}
	for _, e := range f.audit.all() {
		f.Logf("%s %v %v, session %08x, %v, %s", e.Time.Format("04:05.000"), e.Decision, e.Reason, e.Session, e.Prefix, e.Detail)
	}
}

// renewNow has a client bring another token.
func (s *stayer) renewNow() {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	s.renewSoon(time.Now())
	s.tick(time.Now())
}

// rekeys has a client replace its line after so many records.
func (s *stayer) rekeys(after uint64) {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	s.rekeyAt = after
}

// holdsShown says whether the client's ticket is one that it has shown.
func (s *stayer) holdsShown() bool {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	return s.line.session.Shown()
}
