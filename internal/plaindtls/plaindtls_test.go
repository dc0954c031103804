package plaindtls

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
)

// plain is a server that echoes, on a simulated network in virtual time or on the loopback
// interface.
type plain struct {
	*testing.T
	net       *netsim.Network // nil on loopback
	authority *testkit.Authority
	server    *Server
	serving   sync.WaitGroup
	served    error

	mu    sync.Mutex
	conns []*Conn // connected ever
	left  int
	got   map[string]int
}

// serverAddr and playerAddr are the simulated addresses.
var serverAddr = netip.MustParseAddrPort("10.0.0.1:7777")

func playerAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(1 + n), 2}), 1000)
}

// tape is every datagram of a direction, as it was sent.
type tape [][]byte

// tap records both directions between player n and the server.
func (p *plain) tap(n int) (toServer, toClient *tape) {
	toServer, toClient = new(tape), new(tape)
	p.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
		switch {
		case from == playerAddr(n):
			*toServer = append(*toServer, slices.Clone(b))
		case to == playerAddr(n):
			*toClient = append(*toClient, slices.Clone(b))
		}
		return true
	})
	return toServer, toClient
}

func (p *plain) socket(addr netip.AddrPort) *netsim.Conn {
	p.Helper()
	conn, err := p.net.Listen(addr)
	if err != nil {
		p.Fatal(err)
	}
	return conn
}

// plainly runs f in a bubble, which fails if a goroutine outlives f, with a server that echoes.
func plainly(t *testing.T, config Config, f func(p *plain)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &plain{T: t, net: netsim.New(1), authority: testkit.NewAuthority(t), got: make(map[string]int)}
		config.Certificate, config.Conn = *p.authority.Server(t), p.socket(serverAddr)
		var err error
		if p.server, err = Listen("", config); err != nil {
			t.Fatal(err)
		}
		p.serving.Go(func() { p.served = p.server.Serve(p.handler()) })
		defer func() {
			if err := p.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			p.serving.Wait()
			p.net.Close()
		}()
		f(p)
	})
}

func (p *plain) handler() Handler {
	return Handler{
		Connect: func(c *Conn) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.conns = append(p.conns, c)
		},
		Receive: func(c *Conn, payload []byte) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.got[string(payload)]++
			if err := c.Send(payload); err != nil {
				p.Error(err)
			}
		},
		Disconnect: func(*Conn) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.left++
		},
	}
}

// counts are how many have connected, and of those left.
func (p *plain) counts() (connected, left int) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns), p.left
}

func (p *plain) want(connected, left int) {
	p.Helper()
	if c, l := p.counts(); c != connected || l != left {
		p.Errorf("%d connected and %d left, want %d and %d; %+v", c, l, connected, left, p.server.Drops())
	}
}

// connect connects client n. Close it before the test ends.
func (p *plain) connect(n int, configure ...func(*Config)) *Client {
	p.Helper()
	config := Config{RootCAs: p.authority.Pool(), ServerName: testkit.ServerName, Conn: p.socket(playerAddr(n))}
	for _, f := range configure {
		f(&config)
	}
	ctx, cancel := context.WithTimeout(p.Context(), 10*time.Second)
	defer cancel()
	c, err := Dial(ctx, serverAddr.String(), config)
	if err != nil {
		p.Fatal(err)
	}
	return c
}

func (p *plain) talk(c *Client, text string) {
	p.Helper()
	if err := c.Send([]byte(text)); err != nil {
		p.Fatal(err)
	}
	if got, err := p.hear(c); err != nil || got != text {
		p.Fatalf("echo of %q is %q, %v; %+v", text, got, err, p.server.Drops())
	}
}

func (p *plain) hear(c *Client) (string, error) {
	ctx, cancel := context.WithTimeout(p.Context(), 2*time.Second)
	defer cancel()
	b := make([]byte, MaxPayload)
	n, err := c.Receive(ctx, b)
	return string(b[:n]), err
}

// Every size comes back, both ends name the connection alike, and goodbye is
// said from either side.
func TestEcho(t *testing.T) {
	plainly(t, Config{ClientAuth: tls.RequestClientCert}, func(p *plain) {
		own := p.authority.Client(p, "tool")
		a := p.connect(1)
		b := p.connect(2, func(c *Config) { c.Certificate = *own })
		p.want(0, 0)
		for _, n := range []int{1, 100, MaxPayload - 1, MaxPayload, 0} {
			p.talk(a, strings.Repeat("a", n))
			p.talk(b, strings.Repeat("b", n))
		}
		for _, err := range []error{a.Send(make([]byte, MaxPayload+1)), p.conns[0].Send(make([]byte, MaxPayload+1))} {
			if !errors.Is(err, ErrTooLarge) {
				p.Error(err)
			}
		}
		for i, c := range []*Client{a, b} {
			s := p.conns[i]
			if s.Exporter() != c.Exporter() || s.Exporter() == [32]byte{} || s.Suite() != c.Suite() || s.Addr() != playerAddr(i+1) {
				p.Errorf("%v, %v: exporter %x and %x", s.Addr(), s.Suite(), s.Exporter(), c.Exporter())
			}
			if len(c.PeerCertificates()) == 0 {
				p.Error("the server's certificate is not told")
			}
		}
		if a.Exporter() == b.Exporter() {
			p.Error("two connections have the same name")
		}
		if shown := p.conns[1].PeerCertificates(); len(p.conns[0].PeerCertificates()) != 0 || len(shown) != 1 || !bytes.Equal(shown[0], own.Certificate[0]) {
			p.Error("client certificates")
		}
		a.Close()
		p.want(2, 1)
		if err := p.conns[0].Send(nil); err != net.ErrClosed {
			p.Error(err)
		}
		p.talk(b, "still here")
		if err := p.server.Close(); err != nil {
			p.Error(err)
		}
		p.want(2, 2)
		if _, err := p.hear(b); err != io.EOF {
			p.Errorf("after the server's close_notify: %v", err)
		}
		if err := b.Send(nil); err != io.EOF {
			p.Error(err)
		}
		b.Close()
		if err := b.Send(nil); err != io.EOF && err != net.ErrClosed {
			p.Error(err)
		}
		if err := p.server.Serve(Handler{}); err != net.ErrClosed {
			p.Error(err)
		}
	})
}

// "Before its first record too": somebody may be typing for as long as Idle, and
// no longer; whoever has nothing to say but goodbye has been here.
func TestIdle(t *testing.T) {
	plainly(t, Config{Idle: 20 * time.Second}, func(p *plain) {
		a, b, c := p.connect(1), p.connect(2), p.connect(3)
		defer a.Close()
		defer b.Close()
		c.Close()
		p.want(1, 1)
		time.Sleep(18 * time.Second)
		p.talk(a, "slow")
		p.want(2, 1)
		time.Sleep(10 * time.Second)
		b.Send([]byte("too slow")) //nolint:errcheck // it is lost
		p.want(2, 1)
		time.Sleep(8 * time.Second)
		p.talk(a, "slow again")
		time.Sleep(22 * time.Second)
		p.want(2, 2)
		if _, err := p.hear(a); err != io.EOF {
			p.Errorf("the idle client is told %v", err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := p.server.endpoint.First().Holdings().Conns; n != 0 || p.server.conns.Load() != 0 {
			p.Errorf("%d associations are left, %d counted", n, p.server.conns.Load())
		}
	})
}

// "MaxConns is how many connections a server has at once."
func TestMaxConns(t *testing.T) {
	plainly(t, Config{MaxConns: 2}, func(p *plain) {
		a, b, c := p.connect(1), p.connect(2), p.connect(3)
		defer b.Close()
		p.talk(a, "a")
		p.talk(b, "b")
		c.Send([]byte("c")) //nolint:errcheck // it is refused
		if _, err := p.hear(c); err != io.EOF {
			p.Errorf("one too many is told %v", err)
		}
		p.want(2, 0)
		c.Close()
		a.Close()
		p.want(2, 1)
		d := p.connect(4)
		defer d.Close()
		p.talk(d, "d")
		p.want(3, 1)
		if n := p.server.Drops()["full"]; n != 1 {
			p.Errorf("%d counted as full", n)
		}
	})
}

// "A ClientHello from a known address starts a parallel handshake that replaces
// the old one only when it completes" (RFC 6347 4.2.8).
func TestReturnFromSamePort(t *testing.T) {
	plainly(t, Config{}, func(p *plain) {
		first := p.connect(1)
		p.talk(first, "first")
		first.socket.Close() // a crash
		first.Close()
		start := time.Now()
		second := p.connect(1)
		defer second.Close()
		p.talk(second, "second")
		if d := time.Since(start); d > time.Second {
			p.Errorf("served after %v", d)
		}
		p.want(2, 1)
	})
}

// What a DTLS server and its client are sent by somebody without keys, they do
// not notice.
func TestForgeries(t *testing.T) {
	plainly(t, Config{}, func(p *plain) {
		toServer, toClient := p.tap(1)
		c := p.connect(1)
		defer c.Close()
		p.talk(c, "genuine")
		p.net.Tap(nil)
		for name, datagrams := range testkit.Forgeries(slices.Clone(*toServer)) {
			for _, b := range datagrams {
				p.net.Inject(playerAddr(1), serverAddr, b)
			}
			p.talk(c, "to server: "+name)
		}
		for name, datagrams := range testkit.Forgeries(slices.Clone(*toClient)) {
			for _, b := range datagrams {
				p.net.Inject(serverAddr, playerAddr(1), b)
			}
			p.talk(c, "to client: "+name)
		}
		p.want(1, 0)
		if n := p.got["genuine"]; n != 1 {
			p.Errorf("a record was replayed %d times", n-1)
		}
	})
}

// Over a path that loses, reorders and repeats, each record comes once or not
// at all.
func TestImpaired(t *testing.T) {
	plainly(t, Config{}, func(p *plain) {
		p.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.1, Duplicate: 0.2, Reorder: 0.2})
		for n := range 10 {
			c := p.connect(n)
			for i := range 100 {
				c.Send(fmt.Append(nil, n, i)) //nolint:errcheck // it may be lost
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Second)
			c.Close()
		}
		if len(p.got) < 800 {
			p.Errorf("%d of 1000 records came", len(p.got))
		}
		for text, n := range p.got {
			if n != 1 {
				p.Errorf("%q came %d times", text, n)
			}
		}
	})
}

// On real sockets, with the handler left empty and with an address in use.
func TestLoopback(t *testing.T) {
	authority := testkit.NewAuthority(t)
	var serving sync.WaitGroup
	var served error
	s, err := Listen("127.0.0.1:0", Config{Certificate: *authority.Server(t)})
	if err != nil {
		t.Fatal(err)
	}
	serving.Go(func() { served = s.Serve(Handler{Receive: func(c *Conn, b []byte) { c.Send(b) }}) }) //nolint:errcheck // it is looked at
	if _, err := Listen(s.Addr().String(), Config{Certificate: *authority.Server(t)}); err == nil {
		t.Error("two servers listen at one address")
	}
	p := &plain{T: t, server: s}
	for range 3 {
		c, err := Dial(t.Context(), s.Addr().String(), Config{RootCAs: authority.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		p.talk(c, "hello")
		if c.LocalAddr() == nil {
			t.Error("no address")
		}
		c.Close()
	}
	if err := s.Serve(Handler{}); err != ErrServing {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != net.ErrClosed {
		t.Error(err)
	}
	serving.Wait()
	if served != net.ErrClosed {
		t.Errorf("Serve: %v", served)
	}
}

// "The error is ErrTimeout when the server does not answer, or ErrHandshake."
func TestDialErrors(t *testing.T) {
	plainly(t, Config{}, func(p *plain) {
		n := 0
		dial := func(limit time.Duration, address string, c Config) error {
			ctx, cancel := context.WithTimeout(p.Context(), limit)
			defer cancel()
			n++
			c.Conn = p.socket(playerAddr(n))
			_, err := Dial(ctx, address, c)
			if errors.Is(err, ErrConfig) {
				c.Conn.Close()
			}
			return err
		}
		good := Config{RootCAs: p.authority.Pool(), ServerName: testkit.ServerName}
		if err := dial(time.Second, "10.0.0.9:1", good); err != ErrTimeout {
			p.Errorf("nobody there: %v", err)
		}
		if err := dial(time.Minute, serverAddr.String(), Config{RootCAs: testkit.NewAuthority(p).Pool(), ServerName: testkit.ServerName}); !errors.Is(err, ErrHandshake) {
			p.Errorf("another authority: %v", err)
		}
		if err := dial(time.Minute, serverAddr.String(), Config{RootCAs: p.authority.Pool()}); !errors.Is(err, ErrHandshake) {
			p.Errorf("another host: %v", err)
		}
		good.MTU = 255
		if err := dial(time.Minute, serverAddr.String(), good); !errors.Is(err, ErrConfig) {
			p.Errorf("MTU: %v", err)
		}
		p.want(0, 0)
	})
}

// "Fail at start if the configuration says otherwise."
func TestListenErrors(t *testing.T) {
	good := *testkit.NewAuthority(t).Server(t)
	for name, test := range map[string]struct {
		config Config
		names  string // the field
	}{
		"no certificate": {Config{}, "Certificate"},
		"verified":       {Config{Certificate: good, ClientAuth: tls.RequireAndVerifyClientCert}, "ClientAuth"},
		"if given":       {Config{Certificate: good, ClientAuth: tls.VerifyClientCertIfGiven}, "ClientAuth"},
		"negative auth":  {Config{Certificate: good, ClientAuth: -1}, "ClientAuth"},
		"MTU 255":        {Config{Certificate: good, MTU: 255}, "MTU"},
		"MTU 1501":       {Config{Certificate: good, MTU: 1501}, "MTU"},
		"negative MTU":   {Config{Certificate: good, MTU: -1}, "MTU"},
		"idle":           {Config{Certificate: good, Idle: -1}, "Idle"},
		"connections":    {Config{Certificate: good, MaxConns: -1}, "MaxConns"},
		"unproven":       {Config{Certificate: good, MaxUnproven: -1}, "MaxUnproven"},
		"sources":        {Config{Certificate: good, Sources: policy.SourceConfig{Burst: -1}}, "Burst"},
	} {
		if _, err := Listen("127.0.0.1:0", test.config); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: %v, want one that names %s", name, err, test.names)
		}
	}
	for _, mtu := range []int{256, 1500} {
		s, err := Listen("127.0.0.1:0", Config{Certificate: good, MTU: mtu})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}
