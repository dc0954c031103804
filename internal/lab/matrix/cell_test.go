package matrix

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/clockstep"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

const (
	// tick is how often both ends play.
	tick = time.Second / 30

	// playTime is how long a cell without an event plays under its impairment, and goodTime how long every cell plays after
	// that on a good path, from when payloads come both ways.
	playTime = 2500 * time.Millisecond
	goodTime = 1500 * time.Millisecond

	// joinTime is the longest time that joining takes, whatever the cell.
	joinTime = 60 * time.Second

	// halfOpen is how many handshakes of one player may be under way: the one that goes on, and those that it has given up in
	// the last five seconds.
	halfOpen = 8

	// headers are those of IPv6 and UDP, in bytes.
	headers = 40 + 8
)

var (
	serverAddr = netip.MustParseAddrPort("[2001:db8::1]:7777")
	playerAddr = netip.MustParseAddrPort("[2001:db8:1:2::7]:1000")
)

// backTime is the longest time until a payload comes: each way, from the end of an impairment on, and within one unless nothing
// passes at all. It is a second, within which the server asks at a new address, and what three round trips and some ticks take.
// A session that has to be resumed takes longer: the attempt that began on a bad path is given up after four round trips, a
// second and a half at least, and the next one takes six. A handshake that has been damaged goes on for five seconds before.
func (c *cell) backTime() time.Duration {
	d := time.Second + 3*c.rtt + 4*tick
	if c.event.cuts {
		d += 2*time.Second + 10*c.rtt
		if c.corrupt > 0 {
			d += 5 * time.Second
		}
	}
	return d
}

// restTime is the longest time until nothing waits any more, on a good path and with nothing new. After a bad path the lanes' window
// is small, and grows by one datagram in a round trip (RFC 9002 7.3.3): twenty of them carry what has waited.
func restTime(rtt time.Duration) time.Duration { return 5*time.Second + 20*rtt }

// run is one cell that is being tried.
type run struct {
	*testing.T
	*kit
	cell
	seed uint64

	net    *netsim.Network
	socket *netsim.Conn // the player's
	server *transport.Server
	keys   *fleetkey.Ring
	folder string // for a snapshot
	client *transport.Client
	player *transport.Player
	up     flow // to the server
	down   flow // to the player

	joins, twice, failures int
	left                   []session.Reason
	row                    row

	mu    sync.Mutex
	sent  [3]int           // datagrams: of both, of the player, of the server
	large int              // the longest, in bytes
	dark  [3]bool          // whose do not pass
	ahead [2]time.Duration // of the server's clock and of the player's
	audit []audit.Event

	line, gone line // the one that the last records belonged to, and the one that is cut
	cut        int  // whose records it carries no more
}

// Whose datagrams.
const (
	both = iota
	ofPlayer
	ofServer
)

var whoseNames = [...]string{both: "any", ofPlayer: "player", ofServer: "server"}

// fate is what becomes of a datagram before the network has it.
type fate uint8

const (
	pass fate = iota
	lose
	copied // a round trip later it comes once more
)

var fateNames = [...]string{pass: "pass", lose: "lost", copied: "copied"}

// errorf fails, and says how to run the cell alone. A cell that has failed often says no more.
func (r *run) errorf(format string, args ...any) {
	r.Helper()
	if r.failures++; r.failures > 10 {
		return
	}
	test, _, _ := strings.Cut(r.Name(), "/")
	r.Errorf("%s\n\tSALLYPORT_SEED=%d %sgo test -v -run '^%s$/cell/^%s$' ./internal/lab/matrix",
		fmt.Sprintf(format, args...), r.seed, mode(), test, regexp.QuoteMeta(r.name()))
}

// kit is what all cells share.
type kit struct {
	authority   *testkit.Authority
	certificate *tls.Certificate
	issuer      *testkit.Issuer
}

func newKit(t *testing.T) *kit {
	k := &kit{authority: testkit.NewAuthority(t), issuer: testkit.NewIssuer(t)}
	k.certificate = k.authority.Server(t)
	return k
}

// try runs a cell with a seed in a bubble of its own, and returns its row of the report.
func (k *kit) try(t *testing.T, c cell, seed uint64) row {
	r := &run{kit: k, cell: c, seed: seed}
	if c.event.restarts {
		r.folder = t.TempDir()
	}
	r.up, r.down = flow{run: r, name: "to the server"}, flow{run: r, name: "to the player"}
	synctest.Test(t, func(t *testing.T) {
		r.T = t
		r.begin()
		defer r.net.Close()
		defer func() { r.server.Close() }() // the last one
		if r.join() {
			defer r.client.Close()
			r.match()
		}
	})
	return r.row
}

// begin makes the network and the server.
func (r *run) begin() {
	r.net = netsim.New(r.seed)
	r.net.Tap(r.tap)
	if err := r.net.SetImpairment(r.impairment()); err != nil {
		r.Fatal(err)
	}
	r.keys = testkit.Ring(r)
	r.listen()
}

// listen makes a server.
func (r *run) listen() {
	socket, err := r.net.Listen(serverAddr)
	if err != nil {
		r.Fatal(err)
	}
	config := transport.Config{
		Conn: socket, Certificate: *r.certificate, Verifier: r.issuer.Verifier(r), Audit: r, Lanes: table,
		Session: session.Config{Ping: time.Second, FleetKeys: r.keys},
	}
	if r.event.restarts {
		config.Snapshot = filepath.Join(r.folder, "snapshot")
	}
	if r.server, err = transport.Listen("", config); err != nil {
		r.Fatal(err)
	}
	clockstep.Server(r.server, func() time.Time { return r.clock(0) })
}

// restart hands the session on to another process's server, which begins at once.
func (r *run) restart() {
	if err := r.server.Shutdown(r.Context()); err != nil {
		r.errorf("Shutdown: %v", err)
	}
	if !slices.Equal(r.left, []session.Reason{session.ReasonShutdown}) {
		r.errorf("left for %v", r.left)
	}
	r.left, r.joins = nil, 0
	r.listen()
	r.serve(func() {})
}

// clock is the time by the server's clock, or by the player's.
func (r *run) clock(of int) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return testkit.Step(r, time.Now(), r.ahead[of])
}

// tap sees each datagram before the network has it.
func (r *run) tap(from, to netip.AddrPort, b []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	whose := ofPlayer
	if from == serverAddr {
		whose = ofServer
	}
	r.sent[both]++
	r.sent[whose]++
	r.large = max(r.large, len(b))
	if b[0] == byte(record.ApplicationData) {
		r.line.see(whose, b)
		if r.gone.id != 0 && r.row.resumed == 0 && (r.cut == both || r.cut == whose) && r.gone.has(whose, r.line) {
			return false
		}
	}
	if r.dark[both] || r.dark[whose] || r.mtu > 0 && len(b)+headers > r.mtu {
		return false
	}
	switch r.hit.of(r.sent, whose) {
	case lose:
		return false
	case copied:
		again := slices.Clone(b)
		time.AfterFunc(r.rtt, func() { r.net.Inject(from, to, again) })
	}
	return true
}

// count is how many datagrams have been sent.
func (r *run) count() [3]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// Record implements audit.Sink.
func (r *run) Record(e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.audit = append(r.audit, e)
}

// serve is a tick of the server.
func (r *run) serve(game func()) {
	r.row.ticks++
	if _, err := r.server.Poll(transport.Handler{
		Join: func(p *transport.Player) {
			r.joins++
			r.player = p
		},
		Receive: func(_ *transport.Player, b []byte) { r.up.received(b) },
		Message: func(_ *transport.Player, lane int, id uint64, b []byte) { r.up.delivered(lane, id, b) },
		Latest:  func(_ *transport.Player, lane int, key uint32, b []byte) { r.up.valued(lane, key, b) },
		Receipt: func(_ *transport.Player, lane int, id uint64, arrived bool) { r.down.told(lane, id, arrived) },
		Leave:   func(_ *transport.Player, reason session.Reason) { r.left = append(r.left, reason) },
	}); err != nil {
		r.errorf("the server's Poll: %v", err)
	}
	game()
	r.server.Flush()
	st := r.server.Stats()
	if h := st.Handshakes; st.Sessions > 1 || h.Started-h.Completed-h.Failed > halfOpen {
		r.errorf("%d sessions, %+v", st.Sessions, h)
	}
}

// frame is a tick of the player.
func (r *run) frame(game func()) {
	if _, err := r.client.Poll(transport.ClientHandler{
		Receive: r.down.received, Message: r.down.delivered, Latest: r.down.valued, Receipt: r.up.told,
	}); err != nil {
		r.errorf("the client's Poll: %v", err)
	}
	game()
	r.client.Flush()
}

// join dials while the server runs, and reports whether the player is in.
func (r *run) join() bool {
	ctx, cancel := context.WithTimeout(clockstep.With(r.Context(), func() time.Time { return r.clock(1) }), joinTime)
	defer cancel()
	start, done := time.Now(), make(chan error, 1)
	go func() { done <- r.dial(ctx) }()
	for {
		r.serve(func() {})
		select {
		case err := <-done:
			r.row.joined, r.row.handshake = time.Since(start), r.count()
			if err != nil {
				r.errorf("not joined after %v: %v; %+v", r.row.joined, err, r.server.Stats())
			}
			if r.hit.what != pass && (r.row.joined > time.Second || r.row.dials > 1 || r.server.Stats().Handshakes.Completed != 1) {
				r.errorf("joined after %v, want at most a second, with one handshake; %+v", r.row.joined, r.server.Stats())
			}
			if err == nil {
				r.replaced()
			}
			return err == nil
		case <-time.After(tick):
		}
	}
}

// dial joins. Nothing but a checksum, which this network does without, tells a handshake that has been damaged from one with
// somebody else: Dial fails, and a game dials again.
func (r *run) dial(ctx context.Context) (err error) {
	for {
		if r.socket, err = r.net.Listen(playerAddr); err != nil {
			return err
		}
		r.client, err = transport.Dial(ctx, serverAddr.String(), transport.ClientConfig{
			Conn: steppedConn{r.socket, r}, RootCAs: r.authority.Pool(), ServerName: testkit.ServerName,
			Session: session.ClientConfig{Lanes: true},
			Token: func(context.Context) ([]byte, error) {
				raw, err := r.issuer.Mint(time.Now(), token.Grant{Subject: "player", Life: r.event.life})
				return []byte(raw), err
			},
			OnEvent: r.happened,
		})
		if r.row.dials++; r.corrupt == 0 || !errors.Is(err, transport.ErrHandshake) {
			return err
		}
	}
}

// replaced forgets the sessions whose WELCOME has been lost until Dial has begun another one.
func (r *run) replaced() {
	for _, reason := range r.left {
		if reason != session.ReasonReplaced {
			r.errorf("left for %v before the player has joined", reason)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.audit = slices.DeleteFunc(r.audit, func(e audit.Event) bool { return e.Decision == audit.Replace })
	r.joins -= len(r.left)
	r.left = nil
}

// steppedConn takes deadlines of the player's clock.
type steppedConn struct {
	*netsim.Conn

	run *run
}

// SetReadDeadline takes what the client has derived from its clock, which has a monotonic reading, or from time.Now.
func (c steppedConn) SetReadDeadline(t time.Time) error {
	if t != t.Round(0) {
		t = time.Now().Add(t.Sub(c.run.clock(1)))
	}
	return c.Conn.SetReadDeadline(t)
}

// happened is OnEvent.
func (r *run) happened(e transport.ClientEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Kind {
	case transport.EventResumed:
		if r.row.resumed++; e.LanesLost {
			r.errorf("the lanes begin anew at the same server")
		}
	case transport.EventClosed, transport.EventNoToken:
		r.errorf("the client is told: %v, %v, %v", e.Kind, e.Reason, e.Err)
	}
}

// match plays under the impairment, then on a good path, then rests, and leaves.
func (r *run) match() {
	started := time.Now()
	r.up.last, r.down.last = started, started
	steps := r.event.steps
	play := func(until time.Time) {
		for time.Now().Before(until) {
			for len(steps) > 0 && time.Since(started) >= steps[0].at {
				steps[0].do(r)
				steps = steps[1:]
			}
			r.serve(func() { r.down.play(r.player) })
			r.frame(func() { r.up.play(r.client) })
			r.up.bounded(r.client)
			r.down.bounded(r.player)
			time.Sleep(tick)
		}
	}
	play(started.Add(cmp.Or(r.event.long, playTime)))
	r.heal()
	for most := time.Now().Add(r.backTime()); min(r.up.back, r.down.back) == 0 && time.Now().Before(most); {
		play(time.Now().Add(tick))
	}
	play(time.Now().Add(goodTime + 3*r.rtt))
	last := [2]uint64{r.up.payload.sent, r.down.payload.sent}
	r.rest()
	for i, f := range []*flow{&r.up, &r.down} {
		r.row.longest = max(r.row.longest, f.longest)
		if limit := r.backTime() + r.event.without; f.longest > limit {
			r.errorf("%s: no payload for %v, want at most %v", f.name, f.longest, limit)
		}
		if limit := r.backTime(); f.back == 0 || f.back > limit {
			r.errorf("%s: %v until a payload comes after the impairment, want at most %v", f.name, f.back, limit)
		}
		if got := f.payload.newest; got < last[i] {
			r.errorf("%s: payload %d is the newest of %d on a good path", f.name, got, last[i])
		}
		f.check()
	}
	r.judge()
	r.leave()
}

// heal ends the impairment.
func (r *run) heal() {
	r.mu.Lock()
	r.dark = [3]bool{}
	r.mu.Unlock()
	if err := r.net.SetImpairment(netsim.Impairment{Latency: r.rtt / 2}); err != nil {
		r.Fatal(err)
	}
	for _, f := range []*flow{&r.up, &r.down} {
		f.since, f.before = time.Now(), f.payload.sent
	}
}

// rest waits until everything has arrived.
func (r *run) rest() {
	for start := time.Now(); ; time.Sleep(tick) {
		r.serve(func() {})
		r.frame(func() {})
		d := time.Since(start)
		if r.up.open(r.client)+r.down.open(r.player) == 0 && d > r.rtt+2*tick || d > restTime(r.rtt) {
			r.row.rested = d
			return
		}
	}
}

// judge looks at what the two ends say of the session.
func (r *run) judge() {
	st := r.client.Stats()
	if r.joins != 1 || len(r.left) > 0 || r.server.Stats().Sessions != 1 {
		r.errorf("%d joins, left for %v, %+v", r.joins, r.left, r.server.Stats())
	}
	if int(st.Resumed) != r.row.resumed || r.event.cuts && st.Resumed == 0 || st.Queued != 0 || r.up.open(r.client)+r.down.open(r.player) != 0 {
		r.errorf("%d resumptions, %+v", r.row.resumed, st)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.audit {
		switch e.Decision {
		case audit.Accept, audit.Renew, audit.Resume, audit.Migrate, audit.StepUp:
			continue
		case audit.Alarm:
			if r.ahead[0] != 0 {
				continue
			}
		case audit.Close:
			if r.event.restarts {
				continue
			}
		case audit.Reject:
			if e.Reason == audit.DropHandshake || e.Cause == "idle hello" { // of an attempt at another connection
				continue
			}
		}
		r.errorf("audit: %v for %v, %q: %s", e.Decision, e.Reason, e.Cause, e.Detail)
	}
	if r.large+headers > 1280 {
		r.errorf("a datagram of %d bytes", r.large)
	}
	r.row.datagrams, r.row.network = r.sent[both], r.net.Stats()
	r.row.twice = r.twice
	for _, f := range []*flow{&r.up, &r.down} {
		r.row.payloads += f.payload.count
		for lane := range f.lane {
			r.row.messages += f.lane[lane].count
			r.row.refused += f.lane[lane].refused
		}
		r.row.back = max(r.row.back, f.back)
	}
}

// leave ends the session, and expects nothing to be left of it.
func (r *run) leave() {
	done := make(chan error, 1)
	go func() { done <- r.client.Close() }()
	for range int(2 * time.Second / tick) {
		r.serve(func() {})
		time.Sleep(tick)
	}
	if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
		r.errorf("Close: %v", err)
	}
	if !slices.Equal(r.left, []session.Reason{session.ReasonLeft}) || r.server.Stats().Sessions != 0 {
		r.errorf("left for %v, %d sessions", r.left, r.server.Stats().Sessions)
	}
}
