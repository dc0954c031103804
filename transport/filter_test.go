package transport

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// doorman is a Filter that stands on the simulated network, in front of the server: what is from an unknown address, names no known
// connection id and is of no handshake does not get to it.
type doorman struct {
	mu      sync.Mutex
	addrs   map[netip.AddrPort]time.Time // until when they are known
	ids     map[uint32]time.Time
	called  time.Time
	pause   time.Duration // the longest between two calls
	hold    chan struct{} // what Peers waits for
	changes int
	turned  []string // what was turned away
}

func newDoorman() *doorman {
	d := &doorman{addrs: map[netip.AddrPort]time.Time{}, ids: map[uint32]time.Time{}, called: time.Now(), hold: make(chan struct{})}
	close(d.hold)
	return d
}

func (d *doorman) Peers(changes []Peer) {
	d.mu.Lock()
	hold := d.hold
	d.mu.Unlock()
	<-hold
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.pause, d.called = max(d.pause, now.Sub(d.called)), now
	d.changes += len(changes)
	for _, p := range changes {
		if p.For == 0 {
			delete(d.addrs, p.Addr)
			delete(d.ids, p.ConnectionID)
			continue
		}
		if p.Addr.IsValid() {
			d.addrs[p.Addr] = now.Add(p.For)
		}
		if p.ConnectionID != 0 {
			d.ids[p.ConnectionID] = now.Add(p.For)
		}
	}
}

// passes is the rule of module filter, without its budgets.
func (d *doorman) passes(from, to netip.AddrPort, b []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if to != serverAddr || now.Sub(d.called) > 3*FilterInterval || d.addrs[from].After(now) || dtls.IsHandshake(b) {
		return true
	}
	if id, ok := dtls.IDOf(b); ok && d.ids[id].After(now) {
		return true
	}
	d.turned = append(d.turned, fmt.Sprintf("%v: % x", from, b[:min(len(b), 21)]))
	return false
}

// knows reports whether an address is known.
func (d *doorman) knows(a netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addrs[a].After(time.Now())
}

// known are the connection ids that are known.
func (d *doorman) known() []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.ids))
}

// behind makes a server behind a doorman.
func (w *world) behind(configure ...func(*Config)) (*doorman, *running) {
	d := newDoorman()
	w.net.Tap(func(from, to netip.AddrPort, b []byte) bool { return d.passes(from, to, b) })
	return d, w.run(append(configure, func(c *Config) { c.Filter = d })...)
}

// Behind a Filter whoever plays loses nothing by it: joining, playing, changing the address, resuming from another one and coming
// again after a restart are as they are without. Who has gone is not known any more.
func TestFilterKnowsPlayers(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Jitter: 5 * time.Millisecond})
		fleet := w.fleet(t)
		d, r := w.behind(fleet)
		players := w.stayAll(4)
		time.Sleep(3 * time.Second)
		roamed := netip.AddrPortFrom(playerAddr(1).Addr(), 4000)
		w.rebind(players[1].Client, roamed)
		w.disconnect(players[2].Client)
		time.Sleep(3 * time.Second)
		if !d.knows(roamed) || d.knows(playerAddr(1)) {
			w.Errorf("after a change of address the new one is known: %v, the former: %v", d.knows(roamed), d.knows(playerAddr(1)))
		}
		w.rebind(players[3].Client, netip.AddrPortFrom(playerAddr(3).Addr(), 4000))
		w.disconnect(players[3].Client)
		time.Sleep(3 * time.Second)
		w.end(r, r.shutdown)
		time.Sleep(time.Second)
		r = w.run(fleet, func(c *Config) { c.Filter = d })
		long := dtls.KnownFor + 10*time.Second // all are noted again, and nobody is forgotten
		if testing.Short() {
			long = 10 * time.Second
		}
		time.Sleep(long)
		for _, s := range players {
			if s.since() > 4*frame {
				w.Errorf("player %d hears nothing for %v", s.number, s.since())
			}
		}
		w.quit(r, players...)
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.turned) > 0 {
			w.Errorf("%d datagrams of players are turned away, such as %s", len(d.turned), d.turned[0])
		}
		if d.pause > 2*time.Second { // with the restart
			w.Errorf("%v without a call", d.pause)
		}
	})
}

// Who has gone or was put out is not known from lingerTime on, and neither is who has not finished the handshake.
func TestFilterForgets(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := newDoorman()
		w.serve(func(c *Config) { c.Filter = d })
		left, kicked, stays := w.dial(1), w.dial(2), w.dial(3)
		time.Sleep(time.Second)
		w.net.Inject(stranger(1), serverAddr, w.firstHello())
		left.Close()
		w.match.player(1).Kick(session.ReasonKicked)
		time.Sleep(lingerTime + 2*time.Second)
		for i, c := range []struct {
			name  string
			addr  netip.AddrPort
			known bool
		}{
			{"who has left", playerAddr(1), false},
			{"who was put out", playerAddr(2), false},
			{"who plays", playerAddr(3), true},
			{"a forged ClientHello's address", stranger(1), false},
		} {
			if got := d.knows(c.addr); got != c.known {
				w.Errorf("%d: %s is known: %v", i, c.name, got)
			}
		}
		if ids := d.known(); len(ids) != 1 {
			w.Errorf("connection ids %08x are known", ids)
		}
		kicked.Close()
		stays.Close()
	})
}

// A Filter that hangs holds up nobody, and is not called again before it has been told of everybody who plays.
func TestFilterHangs(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := newDoorman()
		s := w.serve(func(c *Config) { c.Filter = d })
		w.dial(1)
		time.Sleep(2 * time.Second)
		hold := make(chan struct{})
		d.mu.Lock()
		d.hold = hold
		d.mu.Unlock()
		time.Sleep(2 * FilterInterval)
		w.echo(w.dial(2), "while the filter hangs")
		for i := range maxPeerNews + 10 {
			s.filtering.put(dtls.Known{Addr: stranger(i), For: time.Minute})
		}
		s.filtering.mu.Lock()
		if n := cap(s.filtering.waiting); n > 2*maxPeerNews {
			w.Errorf("room for %d changes", n)
		}
		s.filtering.mu.Unlock()
		d.mu.Lock()
		d.changes, d.addrs = 0, map[netip.AddrPort]time.Time{}
		d.mu.Unlock()
		close(hold)
		time.Sleep(2 * FilterInterval)
		for n := range 2 {
			if !d.knows(playerAddr(n + 1)) {
				w.Errorf("player %d is not known", n+1)
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.changes > 100 {
			w.Errorf("%d changes", d.changes)
		}
	})
}

// What travels by a carrier does not come to the port, and is nothing to a Filter.
func TestFilterHearsNothingOfCarriers(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		around := w.around()
		defer around.close()
		d := newDoorman()
		w.net.Tap(func(from, _ netip.AddrPort, _ []byte) bool { return from != playerAddr(2) })
		w.serve(around.server, func(c *Config) { c.Filter = d })
		w.dial(1)
		w.echo(w.dial(2, around.client(2)), "by the carrier")
		time.Sleep(3 * time.Minute)
		if ids := d.known(); !d.knows(playerAddr(1)) || d.knows(playerAddr(2)) || len(ids) != 1 {
			w.Errorf("who came by UDP is known: %v, by the carrier: %v; connection ids %08x", d.knows(playerAddr(1)), d.knows(playerAddr(2)), ids)
		}
	})
}

// Each connection id is told as the client uses it.
func TestFilterIDs(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		d := newDoorman()
		var seen atomic.Uint32
		w.net.Tap(func(_, to netip.AddrPort, b []byte) bool {
			if id, ok := dtls.IDOf(b); ok && to == serverAddr {
				seen.Store(id)
			}
			return true
		})
		w.serve(func(c *Config) { c.Filter = d })
		w.echo(w.dial(1), "with an id")
		time.Sleep(time.Second)
		if ids, want := d.known(), seen.Load(); !slices.Equal(ids, []uint32{want}) {
			w.Errorf("known are %08x, the client uses %08x", ids, want)
		}
	})
}
