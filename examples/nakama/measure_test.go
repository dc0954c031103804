//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/internal/testkit"
)

// TestMeasureGateway measures what the gateway adds: SALLYPORT_MEASURE=10s go test -v -run TestMeasureGateway .
//
// Two players of a relayed match send to each other, so that nobody waits for a tick, and the time from sending to the
// other's handler is measured: by WebSockets to Nakama, and by the gateway. An input by the gateway takes its way twice,
// in and out. The processor's time is that of the gateway's process alone.
func TestMeasureGateway(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv(measureVariable))
	if err != nil {
		t.Skipf("set %s, to 10s for instance, on a quiet machine", measureVariable)
	}
	modules, err := filepath.Abs(filepath.Join("testdata", "gateway", "index.js"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gateways{nakama: startNakama(t, modules, nil), idp: testkit.NewIDP(t), authority: testkit.NewAuthority(t)}
	g.build(t)
	g.address = g.start(t, g.program, map[string]string{"SALLYPORT_NAKAMA_SERVER_KEY": serverKey},
		"-cognito-pool", testkit.Pool, "-cognito-clients", testkit.Client, "-cognito-endpoint", g.idp.Serve(t))
	pid := g.started[len(g.started)-1].cmd.Process.Pid
	for _, c := range []struct{ players, hertz int }{{20, 60}, {500, 5}} {
		t.Run(fmt.Sprintf("%d players at %d Hz", c.players, c.hertz), func(t *testing.T) {
			sockets := g.pairs(t, c.players, func(id string) pinger { return newSocketPinger(t, g, id) })
			plain := converse(t, sockets, c.hertz, long)
			for _, p := range sockets {
				p.close()
			}
			players := g.pairs(t, c.players, func(id string) pinger { return newUDPPinger(t, g, id) })
			before := processorTime(t, pid)
			by := converse(t, players, c.hertz, long)
			used := processorTime(t, pid) - before
			t.Logf("WebSockets   %s", plain)
			t.Logf("gateway      %s", by)
			t.Logf("added        p50 %v, p99 %v", by.at(50)-plain.at(50), by.at(99)-plain.at(99))
			t.Logf("gateway's processor %.1f %%, %v a message in and out", 100*used.Seconds()/long.Seconds(), used/time.Duration(max(1, len(by.all))))
			if want := c.players * c.hertz * int(long/time.Second); len(by.all) < want*95/100 {
				t.Errorf("%d of %d messages have arrived", len(by.all), want)
			}
		})
	}
}

// pinger sends the time, and hears the other's.
type pinger interface {
	ping(now time.Time)
	heard() []time.Duration
	close()
}

// pairs makes relayed matches of two players each.
func (g *gateways) pairs(t *testing.T, players int, join func(id string) pinger) (all []pinger) {
	t.Helper()
	host := g.nativePlayer(t).openSocket(t)
	for range players / 2 {
		reply := host.ask(t, &rtapi.Envelope{Message: &rtapi.Envelope_MatchCreate{MatchCreate: &rtapi.MatchCreate{}}})
		id := reply.GetMatch().GetMatchId()
		all = append(all, join(id), join(id))
		host.leave(t, id)
	}
	return all
}

// converse has everybody send for a while.
func converse(t *testing.T, all []pinger, hertz int, long time.Duration) latencies {
	t.Helper()
	time.Sleep(500 * time.Millisecond) // until the joins are over
	for _, p := range all {
		p.heard()
	}
	var wg sync.WaitGroup
	interval := time.Second / time.Duration(hertz)
	for i, p := range all {
		wg.Go(func() {
			time.Sleep(interval * time.Duration(i) / time.Duration(len(all))) // not all at once
			tick := time.NewTicker(interval)
			defer tick.Stop()
			for end := time.Now().Add(long); time.Now().Before(end); {
				p.ping(<-tick.C)
			}
		})
	}
	wg.Wait()
	time.Sleep(200 * time.Millisecond)
	var l latencies
	for _, p := range all {
		l.all = append(l.all, p.heard()...)
	}
	slices.Sort(l.all)
	return l
}

// latencies are sorted.
type latencies struct{ all []time.Duration }

func (l latencies) at(percent int) time.Duration {
	if len(l.all) == 0 {
		return 0
	}
	return l.all[min(len(l.all)*percent/100, len(l.all)-1)].Round(time.Microsecond)
}

func (l latencies) String() string {
	return fmt.Sprintf("%d messages, p50 %v, p95 %v, p99 %v", len(l.all), l.at(50), l.at(95), l.at(99))
}

// delays is what has come to one player.
type delays struct {
	mu  sync.Mutex
	all []time.Duration
}

func (d *delays) heard() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	return all
}

func (d *delays) note(data []byte) {
	if len(data) < 8 {
		return
	}
	delay := time.Since(began) - time.Duration(binary.BigEndian.Uint64(data))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, delay)
}

// began is where the times of messages begin.
var began = time.Now()

// stamp is a message of 32 bytes that begins with the time.
func stamp() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(time.Since(began))), make([]byte, 24)...)
}

type socketPinger struct {
	delays
	t     *testing.T
	s     *socket
	match string
}

func newSocketPinger(t *testing.T, g *gateways, match string) pinger {
	p := &socketPinger{t: t, match: match, s: g.nativePlayer(t).openSocket(t)}
	p.s.hook.Store(&hook{p.note})
	p.s.join(t, match)
	return p
}

func (p *socketPinger) ping(time.Time) { p.s.say(p.t, p.match, 1, string(stamp())) }
func (p *socketPinger) close()         { p.s.conn.Close() } //nolint:errcheck // it is over

type udpPinger struct {
	delays
	u *udp
}

func newUDPPinger(t *testing.T, g *gateways, match string) pinger {
	p, events := &udpPinger{}, make(chan string, 100)
	u, err := g.listen(t, g.address, g.idp.Token(t, newSub()), order{Match: match, Events: true}, events)
	if err != nil {
		t.Fatal(err)
	}
	select { // the first presences say that the player is in: else the match may end before
	case <-events:
	case <-time.After(patience):
		t.Fatal("the join takes too long")
	}
	u.hook.Store(&hook{p.note})
	p.u = u
	return p
}

func (p *udpPinger) ping(time.Time) { p.u.Send(append([]byte{1}, stamp()...)) } //nolint:errcheck // counted where it arrives
func (p *udpPinger) close()         { p.u.Close() }                             //nolint:errcheck // it is over

// processorTime is what a process has used, user and system.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may have spaces
	fields, sum := strings.Fields(rest), 0
	for _, field := range fields[11:13] { // utime and stime, proc(5): fields 14 and 15, in hundredths of a second
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / 100
}
