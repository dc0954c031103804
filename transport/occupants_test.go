package transport

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "A record without a connection id belongs to the newest connection of the address that it comes
// from: the last one that was made there, or that has moved there. When that connection ends it
// belongs to the newest of those that are left." PROTOCOL.md 9.6. "A record of application data is
// opened under the keys that its connection id names, whatever address it comes from." 9.4. Whatever
// players do, with connection ids or without, on however many shards. The slow twin looks at all
// connections of all shards.
func TestNewestConnectionHasTheAddress(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for _, shards := range []int{1, 2, 4} {
		for seed := range seeds {
			t.Run(fmt.Sprint(shards, " shards, ", seed), func(t *testing.T) {
				virtual(t, func(w *world) {
					f := newFloor(w, shards, mathrand.New(mathrand.NewPCG(seed, uint64(shards))))
					for range 150 {
						f.step()
						f.check()
					}
					f.leaveAll()
				})
			})
		}
	}
}

// floor is a server's shards on sockets in memory, and players who have keys without a handshake.
type floor struct {
	*world
	*mathrand.Rand

	shards  []*shard
	door    *doorman
	addrs   []udp.Flow
	players []*visitor
	lines   []*visit // of all players
	seen    map[*conn]place
	places  int
	got     []string // payloads that the match has received, by whom
	log     []string
	lost    func(from *shard, b []byte) bool // may be nil
}

// place is where a connection is, and which in order of time has come to be where it is.
type place struct {
	addr   udp.Flow
	number int
}

// visitor is a player, some without a connection id: "A client that chooses its nonces otherwise cannot change its address"
type visitor struct {
	name  int
	hasID bool
	visit *visit // on which the session lives, nil without
}

// visit is a connection as its client knows it.
type visit struct {
	of     *visitor
	addr   udp.Flow
	record *record.Conn
	client *machine.Client
}

// radio is a socket in memory. Engines send while the shard has its turn.
type radio struct {
	memory
	in []udp.Packet

	mu  sync.Mutex
	out []udp.Packet
}

func (r *radio) Receive() []udp.Packet {
	n := min(len(r.in), udp.BatchLen)
	batch := r.in[:n]
	r.in = r.in[n:]
	return batch
}

func (r *radio) Send(packets []udp.Packet) {
	for _, p := range packets {
		r.SendOne(p)
	}
}

func (r *radio) SendOne(p udp.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = append(r.out, udp.Packet{Addr: p.Addr, Buf: append([]byte(nil), p.Buf...)})
}

// next takes the first packet that has been sent; false if there is none.
func (r *radio) next() (p udp.Packet, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.out) == 0 {
		return p, false
	}
	p, r.out = r.out[0], r.out[1:]
	return p, true
}

func newFloor(w *world, shards int, chance *mathrand.Rand) *floor {
	door := newDoorman()
	s := w.listen(func(c *Config) {
		c.Filter = door
		c.Sources = policy.SourceConfig{PerSecond: 1e6, Burst: 1e6}
		c.Session.Fingerprint = policy.FingerprintConfig{Network: policy.ActionNote}
		c.Session.MaxPerSubject = -1 // each comes anew as often as it likes
	})
	f := &floor{world: w, Rand: chance, door: door, seen: make(map[*conn]place)}
	for i := range shards {
		f.shards = append(f.shards, s.newShard(new(radio), i))
		f.shards[i].handler = Handler{Receive: func(p *Player, b []byte) {
			f.got = append(f.got, p.Session().Subject()+" "+string(b))
		}}.withDefaults()
	}
	s.use(f.shards...)
	for i := range 5 { // of one network, the last two from one address to two of ours
		at := udp.Flow{AddrPort: netip.AddrPortFrom(playerAddr(1).Addr(), uint16(1000+min(i, 3)))}
		if i == 4 {
			at.Local = addrtable.LocalOf(serverAddr.Addr())
		}
		f.addrs = append(f.addrs, at)
	}
	for i := range 5 {
		f.players = append(f.players, &visitor{name: i, hasID: i%2 == 0})
	}
	return f
}

// kernel is the shard that an address belongs to.
func (f *floor) kernel(addr udp.Flow) *shard { return f.shards[int(addr.Port())%len(f.shards)] }

// say has a datagram come from an address. Half of those with a connection id are steered to its shard.
func (f *floor) say(v *visit, addr udp.Flow, kind wire.Kind, body []byte) {
	b, err := sealEnvelope(make([]byte, 0, udp.BufferLen), v.record, v.client, kind, body)
	if err != nil {
		f.Fatal(err)
	}
	to := f.kernel(addr)
	if id, ok := dtls.IDOf(b); ok && f.IntN(2) == 0 {
		to = f.shards[int(id&udp.ShardMask)%len(f.shards)]
	}
	to.Socket.(*radio).in = append(to.Socket.(*radio).in, udp.Packet{Addr: addr, Buf: b})
}

// settle runs all shards until nothing is left to do.
func (f *floor) settle() {
	for busy := true; busy; {
		busy = false
		synctest.Wait() // for verifications
		for _, s := range f.shards {
			r := s.Socket.(*radio)
			waiting := s.Holdings().Messages + s.Holdings().ForwardQueue + len(r.in)
			if waiting > 0 {
				busy = true
				f.turn(s)
			}
			for {
				p, ok := r.next()
				if !ok {
					break
				}
				if f.lost == nil || !f.lost(s, p.Buf) {
					f.deliver(p.Addr, p.Buf)
				}
			}
		}
		for _, s := range f.shards {
			busy = busy || len(s.Socket.(*radio).in) > 0
		}
	}
	f.look()
}

func (f *floor) turn(s *shard) {
	s.Out.Hold(true)
	s.Turn(f.server.clock.now())
	s.Out.Hold(false)
}

// look notes which connections are new, or somewhere else.
func (f *floor) look() {
	for _, s := range f.shards {
		for _, c := range s.Table.All() {
			a := connOf(c)
			if f.seen[a].addr != a.Addr {
				f.places++
				f.seen[a] = place{a.Addr, f.places}
			}
		}
	}
}

// deliver hands what the server has sent to whoever can open it.
func (f *floor) deliver(addr udp.Flow, b []byte) {
	for _, v := range f.lines {
		typ, plaintext, err := v.record.Open(append([]byte(nil), b...))
		if v.addr != addr || err != nil || typ != record.ApplicationData {
			continue
		}
		reply, ev := v.client.Handle(time.Now(), plaintext)
		switch ev.Kind {
		case machine.EventJoined, machine.EventResumed:
			if v.of.hasID {
				v.record.SetConnectionID(ev.ConnectionID)
			}
			v.of.visit = v
			f.say(v, addr, wire.KindPing, make([]byte, 8)) // "a PING if it has nothing else"
		case machine.EventClosed:
			if v.of.visit == v {
				v.of.visit = nil
			}
		}
		if reply.Kind != 0 {
			f.say(v, addr, reply.Kind, reply.Body)
		}
	}
}

// connect is a handshake of a player's from an address, and its HELLO.
func (f *floor) connect(p *visitor, addr udp.Flow, start func(ch machine.Channel) (*machine.Client, error)) {
	s, now := f.kernel(addr), f.server.clock.now()
	secrets := record.Secrets{Suite: record.ECDSAWithAES128}
	rand.Read(secrets.Master[:])
	v := &visit{of: p, addr: addr}
	var err error
	if v.record, err = record.New(&secrets, true, 1, 0); err != nil {
		f.Fatal(err)
	}
	result := &handshake.Result{Secrets: secrets, Next: 1}
	if v.client, err = start(channel(result)); err != nil {
		f.Fatal(err)
	}
	f.lines = append(f.lines, v)
	if o := s.Handshakes.Open[addr]; o != nil {
		f.Fatal("a handshake is under way")
	}
	keys := s.Handshakes.Offer(now, addr)
	if keys == nil {
		f.Fatal("no room for a handshake")
	}
	f.check() // while it goes on, the old connection does
	if err := keys(now, result); err != nil {
		f.Fatal(err)
	}
	f.check()
	v.client.Tick(time.Now(), func(kind wire.Kind, body []byte) { f.say(v, addr, kind, body) })
	f.settle()
}

// comes has a player come anew from an address.
func (f *floor) comes(p *visitor, addr udp.Flow) {
	f.Helper()
	f.connect(p, addr, func(ch machine.Channel) (*machine.Client, error) {
		identity, err := f.tokens(grantFor(p.name))(context.Background())
		if err != nil {
			f.Fatal(err)
		}
		return machine.NewClient(time.Now(), session.ClientConfig{}, ch, identity)
	})
}

// step has something happen.
func (f *floor) step() {
	p, addr := f.players[f.IntN(len(f.players))], f.addrs[f.IntN(len(f.addrs))]
	if v := p.visit; v != nil && f.IntN(2) == 0 {
		addr = v.addr
	}
	what := f.IntN(10)
	if p.visit == nil || !p.visit.client.Live() {
		what = 0
	}
	f.log = append(f.log, fmt.Sprintf("player %d (connection id %v), %v on %d: %d", p.name, p.hasID, addr, f.kernel(addr).Index, what))
	switch what {
	case 0: // comes anew
		p.visit = nil
		f.comes(p, addr)
		if p.visit == nil {
			f.Errorf("player %d was not let in", p.name)
		}
	case 1, 2, 3, 4: // resumes
		old := p.visit
		f.connect(p, addr, func(ch machine.Channel) (*machine.Client, error) { return old.client.Resume(time.Now(), ch, nil) })
		if p.visit == old || p.visit == nil {
			f.Errorf("player %d was not resumed", p.name)
		}
	case 5, 6: // tries to: WELCOME does not come, and it may say close_notify
		old := p.visit
		f.lost = func(_ *shard, b []byte) bool { return len(b) > 200 }
		f.connect(p, addr, func(ch machine.Channel) (*machine.Client, error) { return old.client.Resume(time.Now(), ch, nil) })
		f.lost = nil
		if what == 6 {
			last := f.lines[len(f.lines)-1]
			b, _ := last.record.Seal(make([]byte, 0, udp.BufferLen), record.Alert, record.CloseNotify[:])
			r := f.kernel(addr).Socket.(*radio)
			r.in = append(r.in, udp.Packet{Addr: addr, Buf: b})
			f.settle()
		}
		f.check()
		f.pass(helloTime + lingerTime + 2*dtls.SweepInterval) // the attempt is over, and forgotten
	case 7: // changes its address, if it can
		for range 4 {
			if p.hasID && p.visit != nil {
				f.say(p.visit, addr, wire.KindData, make([]byte, 100))
				f.settle()
				f.pass(dtls.ChallengeInterval)
			}
		}
	case 8: // leaves
		v := p.visit
		reply := v.client.Close()
		f.say(v, v.addr, reply.Kind, reply.Body)
		p.visit = nil
		f.settle()
		if f.IntN(2) == 0 {
			f.pass(lingerTime + 2*dtls.SweepInterval)
		}
	case 9:
		f.pass(time.Duration(f.IntN(8)) * time.Second)
	}
}

// pass lets time pass, in which those who are here say so.
func (f *floor) pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		time.Sleep(min(d, time.Second))
		for _, s := range f.shards {
			f.turn(s)
		}
		f.settle()
		f.check()
	}
}

// check has everybody say something from where they are: who has a connection id is heard, and so is the newest
// connection with a player of each address.
func (f *floor) check() {
	f.Helper()
	f.settle()
	for _, addr := range f.addrs {
		var newest, last *conn
		for _, s := range f.shards {
			for _, c := range s.Table.All() {
				a := connOf(c)
				if a.Addr != addr {
					continue
				}
				if last == nil || f.seen[a].number > f.seen[last].number {
					last = a
				}
				if a.player != nil && a.ending == nil && (newest == nil || f.seen[a].number > f.seen[newest].number) {
					newest = a
				}
			}
		}
		if newest == nil {
			continue
		}
		for _, v := range f.lines {
			if v.of.visit != v || v.addr != addr || !v.client.Live() || newest.session.Session().ID() != v.client.ID() {
				continue
			}
			if last != newest && connOf(last.Former) != newest {
				continue // somebody else's attempt has the address for the moment
			}
			f.here(v)
		}
	}
	for _, v := range f.lines {
		if v.of.hasID && v.of.visit == v && v.client.Live() {
			f.here(v)
		}
	}
	f.filtered()
}

// filtered fails unless a Filter knows where all connections are.
func (f *floor) filtered() {
	f.Helper()
	synctest.Wait() // until it has been told
	for _, s := range f.shards {
		for _, c := range s.Table.All() {
			if !f.door.knows(c.Addr.AddrPort) {
				f.fail("%v, where a connection of shard %d is, is not known", c.Addr, s.Index)
			}
		}
	}
}

// fail ends the test, and says what has happened.
func (f *floor) fail(format string, what ...any) {
	f.Helper()
	for _, line := range f.log {
		f.Log(line)
	}
	f.Fatalf(format, what...)
}

// here has a player say something who must be heard.
func (f *floor) here(v *visit) {
	f.Helper()
	f.got = nil
	f.say(v, v.addr, wire.KindData, []byte("here"))
	f.settle()
	if want := fmt.Sprintf("player %d here", v.of.name); len(f.got) != 1 || f.got[0] != want {
		f.fail("from %v on shard %d came %q, want %q", v.addr, f.kernel(v.addr).Index, f.got, want)
	}
}

// leaveAll has everybody go: nothing is left of them.
func (f *floor) leaveAll() {
	for _, p := range f.players {
		p.visit = nil
	}
	for range 50 {
		time.Sleep(time.Second)
		for _, s := range f.shards {
			f.turn(s)
		}
		f.settle()
	}
	for _, s := range f.shards {
		if n := s.Holdings().Conns + s.Holdings().Addresses + s.Holdings().Occupants + s.Holdings().IDs + s.Holdings().HalfOpen; n > 0 {
			f.Errorf("shard %d remembers %d things: %d connections, %d addresses, %d occupants", s.Index, n, s.Holdings().Conns, s.Holdings().Addresses, s.Holdings().Occupants)
		}
	}
	synctest.Wait()
	for _, addr := range f.addrs {
		if f.door.knows(addr.AddrPort) {
			f.Errorf("%v is known, where nobody is any more", addr)
		}
	}
}

// moves has a player with a connection id follow its translator to an address.
func (f *floor) moves(p *visitor, addr udp.Flow) {
	f.Helper()
	before := f.audit.count(audit.Migrate)
	p.visit.addr = addr
	f.say(p.visit, addr, wire.KindData, make([]byte, 100))
	f.settle()
	if f.audit.count(audit.Migrate) != before+1 {
		f.Fatal("the server does not follow")
	}
}

// "A record of application data is opened under the keys that its connection id names, whatever
// address it comes from. The address may have another connection." PROTOCOL.md 9.4: that of a player
// who is about to resume, too, where somebody else has moved since.
func TestResumesWhereSomebodyMoves(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		f := newFloor(w, 1, mathrand.New(mathrand.NewPCG(1, 1)))
		p, other := f.players[0], f.players[2]
		f.comes(p, f.addrs[0])
		f.comes(other, f.addrs[2])
		old, late := p.visit, []byte(nil)
		f.lost = func(_ *shard, b []byte) bool {
			if len(b) > 200 {
				late = append([]byte(nil), b...)
			}
			return len(b) > 200
		}
		f.connect(p, f.addrs[1], func(ch machine.Channel) (*machine.Client, error) { return old.client.Resume(time.Now(), ch, nil) })
		f.lost = nil
		f.moves(other, f.addrs[1])
		f.deliver(f.addrs[1], late)
		f.settle()
		if p.visit == old {
			t.Fatal("WELCOME has not come")
		}
		f.here(p.visit)
		f.here(other.visit)
		f.leaveAll()
	})
}
