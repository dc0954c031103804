package fuzz

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

var hostile = flag.Int("hostile", 100_000, "datagrams of TestHostile")

const (
	hostilePlayers = 8
	hostileRate    = 50 // inputs a second and player

	// window is how many hostile datagrams may wait in the server's socket: more would be lost there, and so
	// would those of players.
	window = 256

	// capturedLen is of how many of its last datagrams a player's copies are sent.
	capturedLen = 64

	// heapGrowth is how much more may live on the heap at the end, in bytes: what waits, and half-open handshakes.
	heapGrowth = 16 << 20
)

// Through a live listener come the corpora of this module's fuzz targets, changed at random, from
// strangers and from the players' own sockets, and copies and forgeries of what the players have just
// sent. No session is harmed: each input is answered once, and no session ends or goes on elsewhere.
// For more than a moment:
//
//	go test ./fuzz -run TestHostile -v -hostile 10000000
func TestHostile(t *testing.T) {
	corpora := append(readCorpora(t), datagramSeeds()...)
	server, players := hostileMatch(t)
	h := &hostility{t: t, server: server, players: players, corpora: corpora, rng: rand.New(rand.NewPCG(1, 2))}
	for i := range 16 {
		s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		h.strangers[i] = s
	}
	ctx, stop := context.WithCancel(t.Context())
	var playing sync.WaitGroup
	for _, p := range players {
		playing.Go(func() { p.play(ctx) })
	}
	heap := liveHeap()
	began := time.Now()
	h.attack(*hostile)
	took := time.Since(began)
	grown := int64(liveHeap()) - int64(heap)
	stop()
	playing.Wait()
	var sent, replays uint64
	for i, p := range players {
		p.judge(t, i)
		sent += p.number
		replays += p.replayed
	}
	stats := server.Stats()
	if grown > heapGrowth {
		t.Errorf("%d KiB more live on the heap", grown>>10)
	}
	if stats.Sessions != hostilePlayers {
		t.Errorf("%d sessions live, want %d", stats.Sessions, hostilePlayers)
	}
	t.Logf("%d hostile datagrams in %v, %.0f a second, of %d inputs in corpora", *hostile, took.Round(time.Millisecond), float64(*hostile)/took.Seconds(), len(corpora))
	t.Logf("%d of them copies and forgeries of what %d players had sent, %.0f a second for each", replays, hostilePlayers,
		float64(replays)/took.Seconds()/hostilePlayers)
	t.Logf("%d inputs of players, each answered once; %+d KiB on the heap", sent, grown>>10)
	for _, reason := range slices.Sorted(maps.Keys(stats.Drops)) {
		t.Logf("dropped as %-10s %d", reason, stats.Drops[reason])
	}
}

// hostility sends what is hostile.
type hostility struct {
	t         *testing.T
	server    *transport.Server
	players   []*hostilePlayer
	strangers [16]*net.UDPConn
	corpora   [][]byte
	rng       *rand.Rand
	b         []byte
}

// attack sends n datagrams, as fast as the server takes them.
func (h *hostility) attack(n int) {
	to := net.UDPAddrFromAddrPort(h.server.Addr())
	for i := range n {
		if i%window == 0 {
			h.await(uint64(i))
		}
		p := h.players[h.rng.IntN(len(h.players))]
		switch i % 4 {
		case 0, 1:
			_, _ = h.strangers[h.rng.IntN(16)].WriteTo(h.changed(), to) // what the kernel refuses has not come
		case 2:
			_, _ = p.socket.PacketConn.WriteTo(h.changed(), to)
		case 3:
			b := p.socket.copyOf(h.rng)
			if h.rng.IntN(2) == 0 && len(b) > 0 {
				b[h.rng.IntN(len(b))] ^= 1 << h.rng.IntN(8)
			}
			p.replayed++
			_, _ = p.socket.PacketConn.WriteTo(b, to)
		}
	}
	h.await(uint64(n))
}

// await waits until the server has taken almost so many, or nothing for a while.
func (h *hostility) await(n uint64) {
	last, since := uint64(0), time.Now()
	for {
		s := h.server.Stats()
		taken := s.Received + s.Socket.Overflow
		if taken+window/2 >= n || h.t.Context().Err() != nil {
			return
		}
		if taken != last {
			last, since = taken, time.Now()
		}
		if time.Since(since) > time.Second {
			return
		}
		runtime.Gosched()
	}
}

// changed returns an input of the corpora, of which some bytes are changed, or the end is missing.
func (h *hostility) changed() []byte {
	h.b = append(h.b[:0], h.corpora[h.rng.IntN(len(h.corpora))]...)
	if len(h.b) == 0 {
		return h.b
	}
	for range h.rng.IntN(4) {
		h.b[h.rng.IntN(len(h.b))] = byte(h.rng.Uint32())
	}
	if h.rng.IntN(8) == 0 {
		h.b = h.b[:h.rng.IntN(len(h.b))]
	}
	return h.b[:min(len(h.b), 1472)]
}

// tap is a player's socket, which keeps copies of what was sent last.
type tap struct {
	net.PacketConn
	mu       sync.Mutex
	captured [capturedLen][]byte
	next     int
}

func (c *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	c.captured[c.next%capturedLen] = append(c.captured[c.next%capturedLen][:0], b...)
	c.next++
	c.mu.Unlock()
	return c.PacketConn.WriteTo(b, to)
}

// copyOf returns a copy of a datagram that the player has sent.
func (c *tap) copyOf(rng *rand.Rand) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.captured[rng.IntN(min(c.next, capturedLen))])
}

// hostilePlayer is an honest player among the hostile.
type hostilePlayer struct {
	socket   *tap
	client   *transport.Client
	number   uint64 // of the last input
	replayed uint64
	ended    chan error
	mu       sync.Mutex
	answers  map[uint64]int
	events   []transport.ClientEventKind
}

// hostileMatch is a server that answers each input, with players in it.
func hostileMatch(t *testing.T) (*transport.Server, []*hostilePlayer) {
	authority, issuer := testkit.NewAuthority(t), testkit.NewIssuer(t)
	server, err := transport.Listen("127.0.0.1:0", transport.Config{Certificate: *authority.Server(t), Verifier: issuer.Verifier(t)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(transport.Handler{Receive: func(p *transport.Player, payload []byte) { _ = p.Send(payload) }})
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	players := make([]*hostilePlayer, hostilePlayers)
	for i := range players {
		players[i] = joinHostile(t, server, authority, func(context.Context) ([]byte, error) {
			return []byte(issuer.Token(t, token.Grant{Subject: fmt.Sprint("player-", i)})), nil
		})
	}
	return server, players
}

func joinHostile(t *testing.T, server *transport.Server, authority *testkit.Authority, identity func(context.Context) ([]byte, error)) *hostilePlayer {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &hostilePlayer{socket: &tap{PacketConn: socket}, answers: make(map[uint64]int), ended: make(chan error, 1)}
	p.client, err = transport.Dial(t.Context(), server.Addr().String(), transport.ClientConfig{
		RootCAs: authority.Pool(), ServerName: testkit.ServerName, Conn: p.socket,
		Token:   identity,
		OnEvent: p.event,
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		p.ended <- p.client.Serve(transport.ClientHandler{Receive: func(b []byte) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.answers[binary.BigEndian.Uint64(b)]++
		}})
	}()
	t.Cleanup(func() {
		_ = p.client.Close()
		<-p.ended
	})
	return p
}

// event keeps what should not happen.
func (p *hostilePlayer) event(e transport.ClientEvent) {
	if e.Kind == transport.EventJoined || e.Kind == transport.EventRenewed {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e.Kind)
}

// play sends inputs until ctx is done, and waits for the last answers.
func (p *hostilePlayer) play(ctx context.Context) {
	ticker := time.NewTicker(time.Second / hostileRate)
	defer ticker.Stop()
	for ctx.Err() == nil {
		p.number++
		if p.client.Send(binary.BigEndian.AppendUint64(nil, p.number)) != nil {
			return // judge says why
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		p.mu.Lock()
		all := uint64(len(p.answers)) == p.number
		p.mu.Unlock()
		if all {
			return
		}
	}
}

// judge wants each input answered once, and nothing to have happened to the session.
func (p *hostilePlayer) judge(t *testing.T, number int) {
	t.Helper()
	select {
	case err := <-p.ended:
		t.Errorf("player %d is out: %v", number, err)
		p.ended <- err
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.events) > 0 {
		t.Errorf("player %d: events %v, want none", number, p.events)
	}
	for n := uint64(1); n <= p.number; n++ {
		if p.answers[n] != 1 {
			t.Errorf("player %d: input %d of %d was answered %d times", number, n, p.number, p.answers[n])
			break
		}
	}
	if extra := len(p.answers) - int(p.number); extra > 0 {
		t.Errorf("player %d: %d answers to what was never sent", number, extra)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
