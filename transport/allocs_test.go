package transport

import (
	"crypto/rand"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// memory is a socket without a network: tests hand datagrams to the shard, and
// what it sends is counted, and handed to take.
type memory struct {
	sent int
	take func(b []byte) // may be nil
}

func (*memory) Receive() []udp.Packet     { return nil }
func (*memory) Wait(time.Duration, bool)  {}
func (*memory) Wake()                     {}
func (*memory) LocalAddr() netip.AddrPort { return serverAddr }
func (*memory) Multihomed() bool          { return false }
func (*memory) Stats() udp.Stats          { return udp.Stats{} }
func (*memory) Close() error              { return nil }

func (m *memory) Send(packets []udp.Packet) {
	for _, p := range packets {
		m.SendOne(p)
	}
}

func (m *memory) SendOne(p udp.Packet) {
	m.sent++
	if m.take != nil {
		m.take(p.Buf)
	}
}

// ends is a shard with one player, and the player's keys.
type ends struct {
	shard  *shard
	out    *memory
	addr   udp.Flow
	record *record.Conn
	client *machine.Client
	buf    []byte
	now    time.Time
}

// newEnds joins a player to a shard on a socket in memory.
func newEnds(t testing.TB, addr netip.AddrPort, h Handler, lanes ...Lane) *ends {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return joinEnds(t, "", conn, func(s *Server) *ends {
		e := &ends{out: &memory{}, addr: udp.Flow{AddrPort: addr}}
		e.shard = s.newShard(e.out, 0)
		e.shard.handler = h.withDefaults()
		return e
	}, lanes...)
}

// joinEnds joins a player to a server by hand, without a handshake. place says
// to which shard, and from where.
func joinEnds(t testing.TB, address string, conn net.PacketConn, place func(s *Server) *ends, lanes ...Lane) *ends {
	issuer := testkit.NewIssuer(t)
	s, err := Listen(address, Config{
		Conn: conn, Shards: 1, Lanes: lanes, Certificate: *testkit.NewAuthority(t).Server(t), Verifier: issuer.Verifier(t),
		Session: session.Config{BadTags: 1 << 30, Behaviour: policy.BehaviourConfig{
			Datagrams: 1e9, DatagramBurst: 1e9, Bytes: 1e9, ByteBurst: 1e9, Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	e := place(s)
	e.join(t, issuer, "alice", lanes != nil)
	return e
}

// join joins a player to the shard by hand.
func (e *ends) join(t testing.TB, issuer *testkit.Issuer, subject string, lanes bool) {
	e.buf, e.now = make([]byte, 0, udp.BufferLen), time.Now()
	secrets := record.Secrets{Suite: record.ECDSAWithAES128}
	rand.Read(secrets.Master[:])
	var err error
	if e.record, err = record.New(&secrets, true, 1, 0); err != nil {
		t.Fatal(err)
	}
	result := &handshake.Result{Secrets: secrets, Next: 1}
	ch := channel(result)
	c, err := e.shard.NewConn(e.now, e.now, e.addr, result)
	if err != nil {
		t.Fatal(err)
	}
	e.shard.Table.Adopt(e.now, c)
	a := connOf(c)
	raw := []byte(issuer.Token(t, token.Grant{Subject: subject}))
	if e.client, err = machine.NewClient(e.now, session.ClientConfig{Lanes: lanes}, ch, raw); err != nil {
		t.Fatal(err)
	}
	e.client.Tick(e.now, func(kind wire.Kind, body []byte) { a.session.HandleLate(e.now, 0, e.envelope(kind, body)) })
	claims, err := issuer.Verifier(t).Verify(t.Context(), e.now, raw)
	if err != nil {
		t.Fatal(err)
	}
	welcome, ev := a.session.Verified(e.now, claims, nil)
	a.act(e.now, machine.Reply{}, ev)
	b, err := a.session.Append(nil, welcome.Kind, welcome.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, ev := e.client.Handle(e.now, b); ev.Kind != machine.EventJoined {
		t.Fatalf("not joined: %+v", ev)
	}
}

// connection is the server's end.
func (e *ends) conn() *conn { return connOf(e.shard.Table.At(e.addr)) }

// envelope is the next one of the client's, in e.buf.
func (e *ends) envelope(kind wire.Kind, body []byte) []byte {
	b, err := e.client.Append(e.buf[:record.Prefix], kind, body)
	if err != nil {
		panic(err)
	}
	return b[record.Prefix:]
}

// seal is a datagram of the client's around msg, which may lie in e.buf.
func (e *ends) seal(typ record.ContentType, msg []byte) []byte {
	b, err := e.record.Seal(e.buf[:0], typ, msg)
	if err != nil {
		panic(err)
	}
	return b
}

func (e *ends) data(payload []byte) []byte {
	return e.seal(record.ApplicationData, e.envelope(wire.KindData, payload))
}

// runs is how often AllocsPerRun calls its function for a number of runs.
const runs = 500

// "no goroutine and no garbage per player": a datagram in, its answer out.
func TestNoAllocs(t *testing.T) {
	payload := make([]byte, 64)
	for name, hold := range map[string]bool{"Serve": false, "Poll": true} {
		got := 0
		e := newEnds(t, playerAddr(1), Handler{Receive: func(p *Player, b []byte) {
			if got++; p.Send(b) != nil {
				t.Fatal("not sent")
			}
		}})
		n := testing.AllocsPerRun(runs, func() {
			b := e.data(payload)
			e.shard.Out.Hold(true)
			e.shard.Datagram(e.now, e.addr, b)
			e.shard.Sweep(e.now)
			if hold {
				e.shard.Out.Flush()
			} else {
				e.shard.Out.Hold(false)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if got != runs+1 || e.out.sent != runs+1 {
			t.Errorf("%s: %d of %d came, %d went out", name, got, runs+1, e.out.sent)
		}
	}
}

// A PING and its PONG, a Broadcast.
func TestNoAllocsBesidesData(t *testing.T) {
	e := newEnds(t, playerAddr(1), Handler{})
	body := make([]byte, 8)
	for name, f := range map[string]func(){
		"ping": func() {
			e.shard.Datagram(e.now, e.addr, e.seal(record.ApplicationData, e.envelope(wire.KindPing, body)))
		},
		"broadcast": func() { e.shard.broadcast(body) },
	} {
		if n := testing.AllocsPerRun(runs, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if e.out.sent < 2*runs {
		t.Errorf("only %d went out", e.out.sent)
	}
}

// "Everything before the tag check is free of allocation, of locks that two cores
// share, and of effects that an unauthenticated sender can cause": what is refused
// costs nothing, for whatever reason.
func TestNoAllocsWhenRefused(t *testing.T) {
	payload := make([]byte, 64)
	for _, test := range []struct {
		name string
		want audit.Drop
		from netip.AddrPort
		make func(e *ends) []byte
	}{
		{"empty", audit.DropSize, playerAddr(1), func(e *ends) []byte { return e.buf[:0] }},
		{"long", audit.DropSize, playerAddr(1), func(e *ends) []byte { return e.buf[:wire.MaxDatagram+1] }},
		{"unknown address", audit.DropSource, thief, func(e *ends) []byte { return e.data(payload) }},
		{"forged", audit.DropRecord, playerAddr(1), func(e *ends) []byte { b := e.data(payload); b[len(b)-1]++; return b }},
		{"epoch 0", audit.DropRecord, playerAddr(1), func(e *ends) []byte { b := e.data(payload); b[4] = 0; return b }},
		{"alert", audit.DropRecord, playerAddr(1), func(e *ends) []byte { return append(e.buf[:0], 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 0) }},
		{"truncated", audit.DropRecord, playerAddr(1), func(e *ends) []byte { b := e.data(payload); return b[:len(b)-1] }},
		{"no envelope", audit.DropMalformed, playerAddr(1), func(e *ends) []byte { return e.seal(record.ApplicationData, payload[:3]) }},
		{"version", audit.DropVersion, playerAddr(1), func(e *ends) []byte {
			m := e.envelope(wire.KindData, nil)
			m[0] += 0x10
			return e.seal(record.ApplicationData, m)
		}},
		{"session", audit.DropSession, playerAddr(1), func(e *ends) []byte {
			m := e.envelope(wire.KindData, nil)
			m[2]++
			return e.seal(record.ApplicationData, m)
		}},
		{"epoch", audit.DropEpoch, playerAddr(1), func(e *ends) []byte {
			m := e.envelope(wire.KindData, nil)
			m[1] ^= 3
			return e.seal(record.ApplicationData, m)
		}},
		{"replay", audit.DropReplay, playerAddr(1), func(e *ends) []byte {
			m := e.envelope(wire.KindData, nil)
			copy(m[6:10], []byte{0, 0, 0, 1})
			return e.seal(record.ApplicationData, m)
		}},
		{"tag", audit.DropTag, playerAddr(1), func(e *ends) []byte {
			m := e.envelope(wire.KindData, nil)
			m[10]++
			return e.seal(record.ApplicationData, m)
		}},
		{"kind", audit.DropState, playerAddr(1), func(e *ends) []byte {
			return e.seal(record.ApplicationData, e.envelope(wire.KindNotice, make([]byte, 5)))
		}},
		{"bearer", audit.DropState, playerAddr(1), func(e *ends) []byte {
			m := e.envelope(wire.KindData, payload)
			m[0], m[1] = m[0]&0xf0|byte(wire.KindBearer), 0
			clear(m[10:18])
			return e.seal(record.ApplicationData, m)
		}},
	} {
		received := 0
		e := newEnds(t, playerAddr(1), Handler{Receive: func(*Player, []byte) { received++ }})
		e.shard.Datagram(e.now, e.addr, e.data(payload)) // sequence 1
		received = 0
		n := testing.AllocsPerRun(runs, func() { e.shard.Datagram(e.now, udp.Flow{AddrPort: test.from}, test.make(e)) })
		if n != 0 {
			t.Errorf("%s: %v allocations", test.name, n)
		}
		if got := e.shard.Dropped(test.want); got != runs+1 || received != 0 || e.out.sent != 0 {
			t.Errorf("%s: %d dropped %v of %d, %d received, %d answered: %v", test.name, got, test.want, runs+1, received, e.out.sent, e.shard.Stats().Drops)
		}
		e.shard.Datagram(e.now, e.addr, e.data(payload))
		if received != 1 {
			t.Errorf("%s: the player is not heard any more", test.name)
		}
	}
}

// The same for the budget of a source: 41 ClientHellos of one prefix begin 40
// handshakes at most, the rest is free.
func TestNoAllocsOverBudget(t *testing.T) {
	e := newEnds(t, playerAddr(1), Handler{})
	e.shard.server.config.MaxUnproven = 1
	hello := append([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd}, make([]byte, 34)...)
	hello = append(hello, 0, 2, 0xc0, 0x2b, 1, 0) // a suite, no compression
	if !handshake.IsFirstHello(hello) {
		t.Fatal("no ClientHello")
	}
	// Budget of the source: spent without a handshake that would allocate.
	for range 1000 {
		e.shard.Endpoint.Sources().Allow(e.now, stranger(0).Addr())
	}
	if n := testing.AllocsPerRun(runs, func() { e.shard.Datagram(e.now, udp.Flow{AddrPort: stranger(0)}, hello) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := e.shard.Stats().Retries.Sent; got != runs+1 {
		t.Errorf("%d over budget", got)
	}
}
