package agones

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// rolled is a pod with a match server in it.
type rolled struct {
	*pod

	server *transport.Server
	rule   *Rule
	trail  *trail
}

// player is one of a rollout.
type player struct {
	*transport.Client

	longest atomic.Int64 // ns between two snapshots
	resumed atomic.Int64
	ended   atomic.Int64
}

// A rollout: the allocator has allocated the next pod for the players of the former one, and annotates
// that with its address. A hundred players resume there, nobody signs in, nobody waits a second, and the
// former pod ends by itself.
func TestRollout(t *testing.T) {
	const players, frame = 100, time.Second / 30
	synctest.Test(t, func(t *testing.T) {
		network := netsim.New(1)
		defer network.Close() //nolint:errcheck // in memory
		network.SetImpairment(netsim.Impairment{Latency: 25 * time.Millisecond, Loss: 0.01})
		issuer, trust := testkit.NewIssuer(t), testkit.NewAuthority(t)
		ring := testkit.Ring(t)
		stop := make(chan struct{})
		var running sync.WaitGroup
		begin := func(n byte) (r *rolled, end func()) {
			r = &rolled{pod: newPod(t, fmt.Sprint("game-", n)), rule: NewRule(RuleConfig{Keys: ring.IDs}), trail: &trail{counts: map[audit.Decision]int{}}}
			endSDK := r.start()
			conn, err := network.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 7777))
			if err != nil {
				t.Fatal(err)
			}
			config := transport.Config{Conn: conn, Certificate: *trust.Server(t), Verifier: issuer.Verifier(t), Audit: r.trail}
			config.Session.FleetKeys, config.Session.Authorize = ring, r.rule.Authorize(nil)
			if r.server, err = transport.Listen("", config); err != nil {
				t.Fatal(err)
			}
			running.Go(func() { _ = r.server.Serve(transport.Handler{}) })
			running.Go(func() {
				for tick := time.NewTicker(frame); ; {
					select {
					case <-tick.C:
						_ = r.server.Broadcast(binary.BigEndian.AppendUint64(nil, 1))
					case <-stop:
						tick.Stop()
						return
					}
				}
			})
			endAgent := r.runs(func(c *AgentConfig) { c.Rule, c.Drain = r.rule, DrainServer(r.server) })
			return r, func() {
				endAgent()
				if err := r.server.Close(); err != nil {
					t.Error(err)
				}
				endSDK()
			}
		}
		one, endOne := begin(1)
		two, endTwo := begin(2)
		time.Sleep(time.Second)
		var subjects strings.Builder
		for i := range players {
			subjects.WriteString(fmt.Sprintf("player-%d ", i))
		}
		assigned := map[string]string{KeyScope: "match-7", KeyPlayers: subjects.String(), KeyKeyID: fmt.Sprint(ring.IDs()[0])}
		one.Allocate(assigned)
		time.Sleep(time.Second)

		all := make([]*player, players)
		var dialling sync.WaitGroup
		for i := range all {
			all[i] = &player{}
			dialling.Go(func() { all[i].plays(t, network, trust, issuer, i, &running) })
		}
		dialling.Wait()
		time.Sleep(2 * time.Second)
		for _, p := range all {
			p.longest.Store(0)
		}
		two.Allocate(assigned)
		time.Sleep(100 * time.Millisecond)
		one.Annotate(KeyDrain, two.server.Addr().String())
		time.Sleep(10 * time.Second)

		var gaps []time.Duration
		for i, p := range all {
			if p.resumed.Load() != 1 || p.ended.Load() != 0 {
				t.Errorf("player %d has resumed %d times, and ended %d times", i, p.resumed.Load(), p.ended.Load())
			}
			gaps = append(gaps, time.Duration(p.longest.Load()))
		}
		slices.Sort(gaps)
		t.Logf("gaps between snapshots: median %v, p99 %v, longest %v", gaps[players/2], gaps[players*99/100-1], gaps[players-1])
		if gaps[players*99/100-1] > time.Second {
			t.Errorf("p99 %v", gaps[players*99/100-1])
		}
		if accepted, resumed := two.trail.count(audit.Accept), two.trail.count(audit.Resume); accepted != 0 || resumed != players {
			t.Errorf("%d have signed in on the next pod, and %d resumed", accepted, resumed)
		}
		if one.server.Stats().Sessions != 0 || two.server.Stats().Sessions != players || one.State() != "Shutdown" {
			t.Errorf("%d and %d sessions, the former pod is %s", one.server.Stats().Sessions, two.server.Stats().Sessions, one.State())
		}
		for _, p := range all {
			p.Close()
		}
		close(stop)
		endOne()
		endTwo()
		running.Wait()
	})
}

// trail counts what the audit gets.
type trail struct {
	mu     sync.Mutex
	counts map[audit.Decision]int
}

func (t *trail) Record(e audit.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[e.Decision]++
}

func (t *trail) count(d audit.Decision) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[d]
}

// plays has a player join, send and receive.
func (p *player) plays(t *testing.T, network *netsim.Network, trust *testkit.Authority, issuer *testkit.Issuer, n int, running *sync.WaitGroup) {
	phone, err := network.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(n), 1}), 1000))
	if err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p.Client, err = transport.Dial(ctx, "192.0.2.1:7777", transport.ClientConfig{
		Conn: phone, RootCAs: trust.Pool(), ServerName: testkit.ServerName,
		Token: func(context.Context) ([]byte, error) {
			return []byte(issuer.Token(t, token.Grant{Subject: fmt.Sprint("player-", n), Scope: "match-7"})), nil
		},
		OnEvent: func(e transport.ClientEvent) {
			switch e.Kind {
			case transport.EventResumed:
				p.resumed.Add(1)
			case transport.EventClosed, transport.EventLost:
				p.ended.Add(1)
			}
		},
		Session: session.ClientConfig{},
	})
	if err != nil {
		t.Errorf("player %d: %v", n, err)
		return
	}
	running.Go(func() {
		last := time.Now()
		for b := make([]byte, 64); ; {
			if _, err := p.Receive(context.Background(), b); err != nil {
				return
			}
			p.longest.Store(max(p.longest.Load(), int64(time.Since(last))))
			last = time.Now()
		}
	})
}
