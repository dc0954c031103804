package sidecar

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// game is a game process that follows docs/sidecar.md, and sends everything back.
type game struct {
	conn net.Conn
	send func([]byte)
	run  uint32

	mu sync.Mutex
	// +checklocks:mu
	peer, seen uint32
	// +checklocks:mu
	there map[uint32]map[Field]string
	// +checklocks:mu
	left map[uint32]session.Reason
	// +checklocks:mu
	refused []Header
	// +checklocks:mu
	alive int // ALIVEs heard
	// +checklocks:mu
	origins map[uint32]transport.Origin
	// +checklocks:mu
	joined map[uint32]uint8 // lanes of JOINEDs
}

// start has a game run until the test or stop ends it.
func (s *scene) start(t testing.TB) *game {
	t.Helper()
	g := &game{run: drawRun(), there: map[uint32]map[Field]string{}, left: map[uint32]session.Reason{}, origins: map[uint32]transport.Origin{}, joined: map[uint32]uint8{}}
	var from func([]byte) (int, error)
	if path, ok := strings.CutPrefix(s.at.Game, unixScheme); ok {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		own := &net.UnixAddr{Name: strings.TrimPrefix(s.at.Own, unixScheme), Net: "unixgram"}
		g.conn, g.send = conn, func(b []byte) { conn.WriteTo(b, own) } //nolint:errcheck // the sidecar repeats
		from = conn.Read
	} else {
		a, err := net.ResolveUDPAddr("udp", s.at.Game)
		if err != nil {
			t.Fatal(err)
		}
		own, err := net.ResolveUDPAddr("udp", s.at.Own)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.DialUDP("udp", a, own)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadBuffer(bufferLen)                           //nolint:errcheck // as much as there is
		g.conn, g.send = conn, func(b []byte) { conn.Write(b) } //nolint:errcheck // likewise
		from = conn.Read
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, err := from(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				g.hear(b[:n])
			}
		}
	})
	t.Cleanup(func() { g.conn.Close(); wg.Wait() }) //nolint:errcheck // it may be stopped
	return g
}

func (g *game) stop() { g.conn.Close() } //nolint:errcheck // a process ends

// hear does what a game does.
func (g *game) hear(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h, body, err := Parse(b)
	if err != nil {
		return
	}
	if h.Run != g.peer {
		g.peer, g.seen, g.there = h.Run, 0, map[uint32]map[Field]string{}
	}
	answer := Header{Kind: Alive, Run: g.run, Peer: g.peer}
	defer func() {
		answer.Number = g.seen
		g.send(append(answer.AppendTo(nil), body...))
	}()
	if h.Peer != g.run {
		body = nil
		return
	}
	if h.Number != 0 {
		if h.Number != g.seen+1 {
			body = nil
			return
		}
		g.seen++
	}
	switch h.Kind {
	case Alive:
		g.alive++
	case Data:
		answer.Kind, answer.Lane, answer.Handle, answer.Key = Data, h.Lane, h.Handle, h.Key
		return
	case Joined:
		fields := map[Field]string{}
		Fields(body, func(f Field, v []byte) { fields[f] = string(v) })
		g.there[h.Handle] = fields
		g.origins[h.Handle] = transport.Origin(h.Code)
		g.joined[h.Handle] = h.Lane
	case Left:
		delete(g.there, h.Handle)
		g.left[h.Handle] = session.Reason(h.Code)
	case Refused:
		g.refused = append(g.refused, h)
	}
	body = nil
}

// say sends what a game may say of its own accord.
func (g *game) say(h Header, body ...byte) {
	g.mu.Lock()
	h.Run, h.Peer, h.Number = g.run, g.peer, g.seen
	g.mu.Unlock()
	g.send(append(h.AppendTo(nil), body...))
}

// await waits for a player to be there and returns the handle.
func (g *game) await(t testing.TB, subject string) uint32 {
	t.Helper()
	var found uint32
	eventually(t, subject+" is there", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		for handle, fields := range g.there {
			if fields[FieldSubject] == subject {
				found = handle
			}
		}
		return found != 0
	})
	return found
}

// scene is a gateway with a sidecar on real sockets.
type scene struct {
	*gateway.Gateway

	sidecar *Sidecar
	at      Config
	audit   *audit.Recent
	issuer  *testkit.Issuer
	trust   *testkit.Authority
	end     func() // ends the gateway
}

var lanes = []transport.Lane{
	{Mode: transport.Ordered, MaxMessage: 50_000}, {Mode: transport.Latest}, {Mode: transport.Unreliable}, {Mode: transport.Reliable}, {Mode: transport.Sequenced},
}

const payload = -1

// open starts a gateway; without a game at first.
func play(t testing.TB, change func(*gateway.Config, *Config)) *scene {
	t.Helper()
	s := &scene{audit: audit.NewRecent(audit.MaxRecent), issuer: testkit.NewIssuer(t), trust: testkit.NewAuthority(t)}
	s.at = Config{Game: "127.0.0.1:" + testkit.FreePort(t), Own: "127.0.0.1:" + testkit.FreePort(t), Audit: s.audit, Claims: []string{"rank", "none"}}
	profile := s.issuer.Profile()
	profile.Keep = []string{"rank", "none"}
	verifier, err := token.NewVerifier(profile)
	if err != nil {
		t.Fatal(err)
	}
	config := gateway.Config{Listen: "127.0.0.1:0", Shutdown: 10 * time.Second, Transport: transport.Config{
		Certificate: *s.trust.Server(t), Verifier: verifier, Audit: s.audit, Lanes: lanes,
		Sources: policy.SourceConfig{PerSecond: 4096, Burst: 4096}, MaxUnproven: 4096,
	}}
	if change != nil {
		change(&config, &s.at)
	}
	if s.sidecar, err = New(s.at); err != nil {
		t.Fatal(err)
	}
	config.Backend = s.sidecar
	if s.Gateway, err = gateway.New(config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	var once sync.Once
	s.end = func() {
		once.Do(func() {
			cancel()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
	t.Cleanup(s.end)
	return s
}

// unixAt puts the sockets into a folder.
func unixAt(t testing.TB) func(*gateway.Config, *Config) {
	if runtime.GOOS != "linux" {
		t.Skip("Unix datagram sockets are for Linux")
	}
	dir := t.TempDir()
	return func(_ *gateway.Config, c *Config) {
		c.Game, c.Own = unixScheme+filepath.Join(dir, "game"), unixScheme+filepath.Join(dir, "own")
	}
}

func (s *scene) ready(t testing.TB) {
	t.Helper()
	eventually(t, "the game is ready", func() bool { return s.Ready() == nil })
}

func (s *scene) dial(t testing.TB, subject string) (*transport.Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return transport.Dial(ctx, s.Addr().String(), transport.ClientConfig{
		RootCAs: s.trust.Pool(),
		Token: func(context.Context) ([]byte, error) {
			return []byte(s.issuer.Token(t, token.Grant{Subject: subject, Platform: "go", Build: "1"})), nil
		},
		Session: session.ClientConfig{
			Lanes: true, Metadata: []byte("red"), Fingerprint: session.Fingerprint{Platform: "go", Build: "1"},
		},
	})
}

func (s *scene) join(t testing.TB, subject string) *transport.Client {
	t.Helper()
	c, err := s.dial(t, subject)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	t.Cleanup(func() { c.Close() }) //nolint:errcheck // it may be out
	return c
}

// eventually waits for something that other goroutines do.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func reason(err error) session.Reason {
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		return closed.Reason
	}
	return 0
}

// lane returns the lane of the newest JOINED about a player.
func (g *game) lane(handle uint32) uint8 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.joined[handle]
}
