package fuzz

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// world is a server in Poll mode over a socket in memory, with one honest
// player of whom the test holds both the record and the session machine.
type world struct {
	t      testing.TB
	socket *socket
	server *transport.Server
	echoed int
	heard  map[uint64]int // payloads of FuzzPlay, by their numbers
	sent   uint64         // the number of the last
	player *peer
}

func newWorld(t testing.TB) *world {
	authority, issuer := testkit.NewAuthority(t), testkit.NewIssuer(t)
	w := &world{t: t, socket: &socket{in: make(chan packet, 64), out: make(chan packet, 1024), closed: make(chan struct{})}}
	var err error
	w.server, err = transport.Listen("", transport.Config{
		Conn: w.socket, Certificate: *authority.Server(t), Verifier: issuer.Verifier(t),
		Session: session.Config{Behaviour: policy.BehaviourConfig{
			Datagrams: 1e9, DatagramBurst: 1e9, Bytes: 1e9, ByteBurst: 1e9, Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
		}, Idle: 24 * time.Hour},
		Sources: policy.SourceConfig{PerSecond: 1 << 20, Burst: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.server.Close() })
	w.player = w.dial(authority, netip.MustParseAddrPort("10.0.0.1:1000"))
	w.join(w.player, issuer.Token(t, token.Grant{Subject: "alice", Life: 10 * time.Minute}))
	return w
}

// handler echoes, so that a test sees whether the player is served.
func (w *world) handler() transport.Handler {
	return transport.Handler{Receive: func(p *transport.Player, payload []byte) {
		w.echoed++
		if len(payload) == 8 && w.heard != nil {
			w.heard[binary.BigEndian.Uint64(payload)]++
		}
		_ = p.Send(payload)
	}}
}

// poll runs one turn of the server with one datagram from addr.
func (w *world) poll(addr netip.AddrPort, datagram []byte) {
	w.socket.arrive(addr, datagram)
	w.socket.drained()
	if _, err := w.server.Poll(w.handler()); err != nil {
		w.t.Fatal(err)
	}
	w.server.Flush()
}

// alive proves that the honest player is still served.
func (w *world) alive() {
	w.t.Helper()
	before := w.echoed
	w.poll(w.player.addr, w.player.seal(w.t, wire.KindData, []byte("still here")))
	if w.echoed != before+1 {
		w.t.Fatal("the honest player is not served any more")
	}
}

// peer is a client whose parts the test holds.
type peer struct {
	addr    netip.AddrPort
	record  *record.Conn
	session *machine.Client
	channel machine.Channel
}

// dial negotiates keys with the server.
func (w *world) dial(authority *testkit.Authority, addr netip.AddrPort) *peer {
	w.t.Helper()
	conn := handshake.NewConn(false, net.UDPAddrFromAddrPort(addr), w.socket.LocalAddr(), func(b []byte) {
		w.socket.arrive(addr, append([]byte(nil), b...))
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	done := make(chan struct{})
	go w.serve(ctx, done, conn)
	result, err := pion2.Engine{}.Client(ctx, conn, &handshake.Config{RootCAs: authority.Pool(), ServerName: testkit.ServerName})
	cancel()
	<-done
	if err != nil {
		w.t.Fatal(err)
	}
	p := &peer{addr: addr}
	copy(p.channel.Exporter[:], result.Secrets.Export(machine.ExporterLabel, 32))
	if p.record, err = record.New(&result.Secrets, true, result.Next, 0); err != nil {
		w.t.Fatal(err)
	}
	conn.Wait()
	return p
}

// serve polls the server and feeds its answers to a handshake until ctx ends.
func (w *world) serve(ctx context.Context, done chan<- struct{}, conn *handshake.Conn) {
	defer close(done)
	for ctx.Err() == nil {
		_, _ = w.server.Poll(w.handler())
		w.server.Flush()
		select {
		case p := <-w.socket.out:
			conn.Deliver(p.b)
		case <-time.After(time.Millisecond):
		}
	}
}

// join carries HELLO and WELCOME.
func (w *world) join(p *peer, identity string) {
	w.t.Helper()
	var err error
	if p.session, err = machine.NewClient(time.Now(), session.ClientConfig{}, p.channel, []byte(identity)); err != nil {
		w.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !p.session.Live() && time.Now().Before(deadline); {
		p.session.Tick(time.Now(), func(kind wire.Kind, body []byte) { w.poll(p.addr, p.seal(w.t, kind, body)) })
		_, _ = w.server.Poll(w.handler())
		w.server.Flush()
		select {
		case answer := <-w.socket.out:
			if _, plaintext, err := p.record.Open(answer.b); err == nil {
				if _, ev := p.session.Handle(time.Now(), plaintext); ev.Kind == machine.EventJoined {
					p.record.SetConnectionID(ev.ConnectionID)
				}
			}
		case <-time.After(time.Millisecond):
		}
	}
	if !p.session.Live() {
		w.t.Fatal("the honest player could not join")
	}
}

// seal makes a datagram of the honest client's.
func (p *peer) seal(t testing.TB, kind wire.Kind, body []byte) []byte {
	msg, err := p.session.Append(nil, kind, body)
	if err != nil {
		t.Fatal(err)
	}
	return p.sealRaw(t, msg)
}

// sealRaw protects any plaintext with the honest client's keys.
func (p *peer) sealRaw(t testing.TB, plaintext []byte) []byte {
	b, err := p.record.Seal(nil, record.ApplicationData, plaintext)
	if err != nil {
		t.Skip("2^24 records are used up: the run is long enough")
	}
	return b
}
