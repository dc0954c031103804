package transport

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/netsim"
)

var seeds = flag.Uint64("seeds", 8, "how many matches TestWhateverHappens plays")

// Whatever happens to players, their paths and their server, and whatever somebody does who
// hears it all, in any order and one thing in the midst of another: a moment later each
// player plays on as who they were, nothing has come twice, and the thief was not sent more
// than the thief has sent. What fails is played again by its name, such as
// TestWhateverHappens/23.
func TestWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				f := w.fated(rand.New(rand.NewPCG(seed, 0)))
				for range 40 {
					f.step()
					time.Sleep(f.upTo(1500))
				}
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
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
	sockets []*netsim.Conn // the players'
	names   [][16]byte     // of their sessions
	ports   uint16         // used
	log     []string

	mu          sync.Mutex
	dark        map[netip.Addr]time.Time // whose datagrams get lost until then
	raced       map[netip.Addr]time.Time // whose datagrams the thief's copies overtake
	tape        []captured               // the last datagrams of all
	sent, heard int                      // the thief's bytes
}

// captured is a datagram that somebody has heard.
type captured struct {
	from, to netip.AddrPort
	b        []byte
}

func (w *world) fated(chance *rand.Rand) *fated {
	f := &fated{world: w, Rand: chance, fleet: w.fleet(w.T), ports: 3000, dark: make(map[netip.Addr]time.Time), raced: make(map[netip.Addr]time.Time)}
	w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
	f.running = w.run(f.fleet)
	for n := range 4 {
		g := grantFor(n)
		g.Life = 40 * time.Second
		f.players = append(f.players, w.stay(n, func(c *ClientConfig) {
			c.Token = w.tokens(g)
			f.sockets = append(f.sockets, c.Conn.(*netsim.Conn))
		}))
		f.names = append(f.names, w.match.player(n).Session().Name())
	}
	w.net.Tap(f.tap)
	return f
}

// tap is the network between them, and the thief in it.
func (f *fated) tap(from, to netip.AddrPort, b []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if to == thief {
		f.heard += len(b)
	}
	b = slices.Clone(b)
	f.tape = append(f.tape, captured{from, to, b})
	if len(f.tape) > 256 {
		f.tape = f.tape[1:]
	}
	if now.Before(f.raced[from.Addr()]) {
		f.steal(b)
	}
	return now.After(f.dark[from.Addr()]) && now.After(f.dark[to.Addr()])
}

// steal sends a datagram in the thief's own name.
func (f *fated) steal(b []byte) {
	f.sent += len(b)
	f.net.Inject(thief, serverAddr, b)
}

// replay sends all again that was heard: as it was, and to the server from elsewhere, too.
func (f *fated) replay() {
	for _, d := range f.recent() {
		f.net.Inject(d.from, d.to, d.b)
		if d.to == serverAddr {
			f.mu.Lock()
			f.steal(d.b)
			f.mu.Unlock()
		}
	}
}

// impersonate sends the beginnings of all handshakes that were heard in a player's name.
func (f *fated) impersonate(n int) {
	for _, d := range f.recent() {
		if d.to == serverAddr && d.b[0] == byte(record.Handshake) {
			f.net.Inject(f.sockets[n].AddrPort(), serverAddr, d.b)
		}
	}
}

// recent is the tape until now.
func (f *fated) recent() (tape []captured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tape)
}

// until has something be so for a socket's datagrams, for a while.
func (f *fated) until(what map[netip.Addr]time.Time, addr netip.AddrPort, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what[addr.Addr()] = time.Now().Add(f.upTo(most))
}

// step has one thing happen.
func (f *fated) step() {
	n := f.IntN(len(f.players))
	s := f.players[n]
	things := map[string]func(){
		"another socket":  func() { f.rebind(n) },
		"another mapping": func() { f.must(f.sockets[n].Rebind(f.place(n))) },
		"another line":    s.replaceLine,
		"disconnected": func() {
			if !s.holdsShown() { // a server that closes a connection forgets its session
				f.disconnect(s.Client)
			}
		},
		"another token": s.renewNow,
		"dark":          func() { f.until(f.dark, f.sockets[n].AddrPort(), 5000) },
		"server dark":   func() { f.until(f.dark, serverAddr, 3000) },
		"restart":       func() { f.restart(f.running.shutdown) },
		"crash":         func() { f.restart(f.running.Close) },
		"another path":  f.impair,
		"a thief races": func() { f.until(f.raced, f.sockets[n].AddrPort(), 3000) },
		"replay":        f.replay,
		"impersonation": func() { f.impersonate(n) },
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
	f.net.SetImpairment(netsim.Impairment{
		Latency: f.upTo(60), Jitter: f.upTo(30), Loss: f.Float64() / 10, Duplicate: f.Float64() / 10,
		Reorder: f.Float64() / 10, Corrupt: f.Float64() / 50,
	})
}

// judge says what became of them.
func (f *fated) judge() {
	for n, s := range f.players {
		if err := s.progress.over(); err != nil || s.since() > 2*frame {
			f.Errorf("player %d: %v, last snapshot %v ago, %+v %+v", n, err, s.since(), s.Stats(), s.events)
		}
		f.missing(s)
	}
	for _, p := range f.match.players {
		if !slices.Contains(f.names, p.Session().Name()) {
			f.Errorf("%s is somebody else", p.Session().Subject())
		}
	}
	if f.heard > f.sent {
		f.Errorf("the thief sent %d bytes and heard %d", f.sent, f.heard)
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

// holdsShown says whether the client's ticket is one that it has shown.
func (s *stayer) holdsShown() bool {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	return s.state.conns.current.machine.Shown()
}
