package sallyport_test

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// anything is behaviour that no benchmark exceeds. It is looked at all the same.
var anything = policy.BehaviourConfig{
	Datagrams: 1e9, DatagramBurst: 1e9, Bytes: 1e9, ByteBurst: 1e9, Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
}

// player is both ends of one connection, without the network between them.
type player struct {
	association

	clientRecord *record.Conn
	client       *machine.Client
	inbound      []byte
}

// association is the server's end, in one piece of memory as a shard keeps it.
type association struct {
	addr   netip.AddrPort
	record record.Conn
	server machine.Conn
}

func (p *player) address() netip.AddrPort { return p.addr }

// match is n players of one server, by address as a shard keeps them.
type match struct {
	now     time.Time
	players []*player
	byAddr  *addrtable.Table[player]
	hashes  [batch]uint32
	found   [batch]*player
	out     [batch][wire.MaxDatagram]byte
}

func newMatch(b *testing.B, n int) *match {
	b.Helper()
	gate, err := machine.NewGate(session.Config{MaxSessions: n, Behaviour: anything})
	if err != nil {
		b.Fatal(err)
	}
	m := &match{now: time.Now(), byAddr: addrtable.New((*player).address)}
	for i := range n {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 7777)
		p, err := m.join(gate, addr, fmt.Sprint("player ", i))
		if err != nil {
			b.Fatal(err)
		}
		m.players = append(m.players, p)
		m.byAddr.Set(p)
	}
	return m
}

func (m *match) join(gate *machine.Gate, addr netip.AddrPort, subject string) (*player, error) {
	secrets := &record.Secrets{Suite: record.ECDSAWithAES128}
	rand.Read(secrets.Master[:])
	p := &player{association: association{addr: addr}, inbound: make([]byte, 0, wire.MaxDatagram)}
	var err error
	if p.clientRecord, err = record.New(secrets, true, 1, 0); err != nil {
		return nil, err
	}
	if err := p.record.Init(secrets, false, 1, 0); err != nil {
		return nil, err
	}
	p.server.Init(gate, m.now, machine.Channel{}, addr.Addr())
	if p.client, err = machine.NewClient(m.now, session.ClientConfig{}, machine.Channel{}, []byte("token")); err != nil {
		return nil, err
	}
	return p, m.handshake(p, &token.Claims{Issuer: "game", Subject: subject, ID: subject, Expires: m.now.Add(time.Hour)})
}

// handshake carries HELLO and WELCOME by hand.
func (m *match) handshake(p *player, claims *token.Claims) error {
	p.client.Tick(m.now, func(kind wire.Kind, body []byte) {
		if msg, err := p.client.Append(nil, kind, body); err == nil {
			p.server.Handle(m.now, msg)
		}
	})
	welcome, _ := p.server.Verified(m.now, claims, nil)
	msg, err := p.server.Append(nil, welcome.Kind, welcome.Body)
	if err != nil {
		return err
	}
	if _, ev := p.client.Handle(m.now, msg); ev.Kind != machine.EventJoined {
		return fmt.Errorf("client did not join: %v", ev.Drop)
	}
	return nil
}

// send seals one datagram of the client's into p.inbound.
func (p *player) send(payload []byte) error {
	b, err := p.client.Append(p.inbound[:record.Prefix], wire.KindData, payload)
	if err == nil {
		p.inbound, err = p.clientRecord.Seal(p.inbound[:0], record.ApplicationData, b[record.Prefix:])
	}
	return err
}

type datagram struct {
	addr netip.AddrPort
	b    []byte
}

// seal makes some 20,000 datagrams, each player's in turn, as batches of receive
// buffers would hold them.
func (m *match) seal(b *testing.B, payload []byte) (arrived []datagram) {
	b.Helper()
	const total = 20_000
	length := len(payload) + wire.HeaderLen + record.Overhead
	memory := make([]byte, total*length)
	for i := range total {
		p := m.players[i%len(m.players)]
		p.inbound = memory[i*length : i*length : (i+1)*length]
		if err := p.send(payload); err != nil {
			b.Fatal(err)
		}
		arrived = append(arrived, datagram{p.addr, p.inbound})
	}
	return arrived
}

// batch is how many datagrams a shard looks at together, and crowd from how many
// players on it prefetches their memory.
const batch, crowd = 16, 512

// prefetch is what a shard does before it handles a batch.
func (m *match) prefetch(arrived []datagram) (sum byte) {
	clear(m.found[:])
	if len(m.players) < crowd {
		return 0
	}
	for i, d := range arrived {
		m.hashes[i] = m.byAddr.Hash(d.addr)
	}
	m.byAddr.Likely(m.found[:], m.hashes[:])
	for stage := range 2 {
		for _, p := range m.found {
			sum ^= p.server.PrefetchHandle(stage) ^ p.record.PrefetchOpen(stage)
		}
	}
	return sum
}

// prefetchOut is what a shard does before it sends to a batch of players.
func (m *match) prefetchOut(from int) (sum byte) {
	if len(m.players) < crowd {
		return 0
	}
	for stage := range 2 {
		for i := range batch {
			p := m.players[(from+i)%len(m.players)]
			sum ^= p.server.PrefetchAppend(stage) ^ p.record.PrefetchSeal(stage)
		}
	}
	return sum
}

// receive is the server's way of a datagram: by address, record, session.
func (m *match) receive(likely *player, addr netip.AddrPort, datagram []byte) (machine.Event, error) {
	p := likely
	if p == nil || p.addr != addr {
		p = m.byAddr.Get(addr)
	}
	_, plaintext, err := p.record.Open(datagram)
	if err != nil {
		return machine.Event{}, err
	}
	_, ev := p.server.HandleLate(m.now, 0, plaintext)
	return ev, nil
}

// BenchmarkInbound is what a datagram of 64 bytes costs on its way in, system
// calls aside: address, record, envelope, session, replay, tag, delivery.
func BenchmarkInbound(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			m, payload := newMatch(b, n), make([]byte, 64)
			var arrived []datagram
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batch {
				if len(arrived) < batch {
					b.StopTimer()
					arrived = m.seal(b, payload)
					b.StartTimer()
				}
				m.prefetch(arrived[:batch])
				for i, d := range arrived[:batch] {
					if ev, err := m.receive(m.found[i], d.addr, d.b); err != nil || ev.Kind != machine.EventData {
						b.Fatal(err, ev.Drop)
					}
				}
				arrived = arrived[batch:]
			}
		})
	}
}

// BenchmarkContinuousChecks is what of that comes after the record has opened:
// envelope, session, life, revocation, epoch, window, tag, fingerprint, budgets
// and behaviour.
func BenchmarkContinuousChecks(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			m, payload := newMatch(b, n), make([]byte, 64)
			var messages [][]byte
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batch {
				if len(messages) < batch {
					b.StopTimer()
					messages = m.envelopes(b, payload)
					b.StartTimer()
				}
				m.prefetchChecks(i)
				for k, msg := range messages[:batch] {
					if _, ev := m.players[(i+k)%n].server.Handle(m.now, msg); ev.Kind != machine.EventData {
						b.Fatal(ev.Drop)
					}
				}
				messages = messages[batch:]
			}
		})
	}
}

// envelopes are what records hold, of each player in turn: whole rounds and whole
// batches, and not so many that they do not fit into the cache, where a record
// leaves them.
func (m *match) envelopes(b *testing.B, payload []byte) (messages [][]byte) {
	b.Helper()
	total := batch * len(m.players)
	switch n := len(m.players); {
	case n%batch == 0:
		total = n
	case n < batch:
		total = batch * batch * n
	}
	length := wire.HeaderLen + len(payload)
	memory := make([]byte, 0, total*length)
	for i := range total {
		var err error
		at := len(memory)
		if memory, err = m.players[i%len(m.players)].client.Append(memory, wire.KindData, payload); err != nil {
			b.Fatal(err)
		}
		messages = append(messages, memory[at:])
	}
	return messages
}

// prefetchChecks is the session's part of prefetch.
func (m *match) prefetchChecks(from int) (sum byte) {
	if len(m.players) < crowd {
		return 0
	}
	for stage := range 2 {
		for i := range batch {
			sum ^= m.players[(from+i)%len(m.players)].server.PrefetchHandle(stage)
		}
	}
	return sum
}

// BenchmarkOutbound is what a datagram of 64 bytes costs on its way out, system
// calls aside: sequence, tag, envelope, record.
func BenchmarkOutbound(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			m, payload := newMatch(b, n), make([]byte, 64)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%batch == 0 {
					m.prefetchOut(i)
				}
				p := m.players[i%n]
				buf := m.out[i%batch][:]
				out, err := p.server.Append(buf[:record.Prefix], wire.KindData, payload)
				if err == nil {
					_, err = p.record.Seal(buf[:0], record.ApplicationData, out[record.Prefix:])
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRejected is what a datagram costs that goes no further, by how far
// it comes.
func BenchmarkRejected(b *testing.B) {
	m := newMatch(b, 1)
	p, payload := m.players[0], make([]byte, 64)
	for name, spoil := range map[string]func(datagram []byte){
		"forged":   func(d []byte) { d[len(d)-1] ^= 1 },
		"epoch0":   func(d []byte) { d[3], d[4] = 0, 0 },
		"replayed": func(d []byte) { m.receive(nil, p.addr, append([]byte(nil), d...)) },
	} {
		b.Run(name, func(b *testing.B) {
			if err := p.send(payload); err != nil {
				b.Fatal(err)
			}
			spoil(p.inbound)
			datagram := make([]byte, len(p.inbound))
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				copy(datagram, p.inbound) // opening destroys it
				if ev, err := m.receive(nil, p.addr, datagram); err == nil && ev.Drop == audit.DropNone {
					b.Fatal("accepted")
				}
			}
		})
	}
}
