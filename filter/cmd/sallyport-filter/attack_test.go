package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/filter"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// console is what the program prints.
type console struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// match is a real server behind the filter, on this host, and what players need to come to it.
type match struct {
	*network

	*transport.Server
	authority *testkit.Authority
	issuer    *testkit.Issuer
	left      atomic.Int64
}

func newMatch(n *network) *match {
	n.Helper()
	m := &match{network: n, authority: testkit.NewAuthority(n), issuer: testkit.NewIssuer(n)}
	feed, err := filter.NewFeed(filter.FeedConfig{Port: 7777, Dir: n.maps})
	if err != nil {
		n.Fatal(err)
	}
	m.Server, err = transport.Listen("192.0.2.1:7777", transport.Config{
		Certificate: *m.authority.Server(n), Verifier: m.issuer.Verifier(n), Filter: feed,
	})
	if err != nil {
		n.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		_ = m.Serve(transport.Handler{
			Receive: func(p *transport.Player, b []byte) { _ = p.Send(b) },
			Leave:   func(*transport.Player, session.Reason) { m.left.Add(1) },
		})
	})
	n.Cleanup(func() {
		_ = m.Server.Close()
		serving.Wait()
		if err := feed.Close(); err != nil {
			n.Error(err)
		}
	})
	return m
}

// strangers is how many datagrams of strangers have come to the socket.
func (m *match) strangers() uint64 { return m.Server.Stats().Drops["source"] }

// player plays 60 times a second from another host, behind a translator of addresses.
type player struct {
	*transport.Client

	out       atomic.Pointer[net.UDPConn] // the translator's port
	sent, got atomic.Int64
	done      chan struct{}
	wg        sync.WaitGroup
}

// join has a player come from an address of the other host.
func (m *match) join(name, from string) *player {
	m.Helper()
	p := &player{done: make(chan struct{})}
	inside, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		m.Fatal(err)
	}
	m.open(p, from)
	server := net.UDPAddrFromAddrPort(m.Addr())
	var home atomic.Pointer[net.UDPAddr]
	p.wg.Go(func() { // from the player to the server
		for b := make([]byte, 2048); ; {
			n, a, err := inside.ReadFromUDP(b)
			if err != nil {
				return
			}
			home.Store(a)
			_, _ = p.out.Load().WriteToUDP(b[:n], server)
		}
	})
	p.wg.Go(func() { // and back, from whatever port the translator has now
		for b := make([]byte, 2048); ; {
			out := p.out.Load()
			_ = out.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			n, _, err := out.ReadFromUDP(b)
			if errors.Is(err, net.ErrClosed) && p.out.Load() == out {
				return
			}
			if a := home.Load(); err == nil && a != nil {
				_, _ = inside.WriteToUDP(b[:n], a)
			}
		}
	})
	ctx, cancel := context.WithTimeout(m.Context(), 10*time.Second)
	defer cancel()
	p.Client, err = transport.Dial(ctx, inside.LocalAddr().String(), transport.ClientConfig{
		RootCAs: m.authority.Pool(), ServerName: testkit.ServerName,
		Token: func(context.Context) ([]byte, error) {
			return []byte(m.issuer.Token(m, token.Grant{Subject: name, Scope: "match"})), nil
		},
	})
	if err != nil {
		m.Fatalf("%s: %v; %+v", name, err, m.Server.Stats())
	}
	p.wg.Go(p.send)
	p.wg.Go(p.receive)
	m.Cleanup(func() {
		close(p.done)
		p.Client.Close()
		p.out.Load().Close()
		inside.Close()
		p.wg.Wait()
	})
	return p
}

// open gives the translator another port.
func (m *match) open(p *player, from string) {
	m.Helper()
	var conn *net.UDPConn
	m.There(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)})
		return err
	})
	if former := p.out.Swap(conn); former != nil {
		former.Close()
	}
}

func (p *player) send() {
	for tick := time.NewTicker(time.Second / 60); ; {
		select {
		case <-p.done:
			tick.Stop()
			return
		case <-tick.C:
			if p.Send([]byte("input")) == nil {
				p.sent.Add(1)
			}
		}
	}
}

func (p *player) receive() {
	for b := make([]byte, 1200); ; {
		if _, err := p.Receive(context.Background(), b); err != nil {
			return
		}
		p.got.Add(1)
	}
}

// flood sends datagrams from forged addresses of the other host, some perSecond, until the end that it returns is called. sent counts
// them.
func (m *match) flood(perSecond int, payloads [][]byte) (sent *atomic.Int64, end func()) {
	m.Helper()
	fd := -1
	m.There(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		return err
	})
	done := make(chan struct{})
	sent = new(atomic.Int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer unix.Close(fd)
		random := rand.New(rand.NewPCG(1, 2))
		to := unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}}
		packets := make([][]byte, len(payloads))
		for i, payload := range payloads {
			packets[i] = packet(payload)
		}
		const step = 4 * time.Millisecond
		for tick := time.NewTicker(step); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
			for range perSecond * int(step) / int(time.Second) {
				b := packets[int(sent.Load())%len(packets)]
				binary.BigEndian.PutUint32(b[12:], 0x0b000000|random.Uint32()>>8) // 11.0.0.0/8
				binary.BigEndian.PutUint16(b[20:], uint16(1024+random.IntN(60000)))
				if unix.Sendto(fd, b, 0, &to) == nil {
					sent.Add(1)
				}
			}
		}
	})
	return sent, func() {
		close(done)
		wg.Wait()
	}
}

// packet is a UDP datagram to the server in IPv4; the kernel fills in length and checksum of IP.
func packet(payload []byte) []byte {
	b := make([]byte, 28, 28+len(payload))
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	copy(b[16:], []byte{192, 0, 2, 1})
	binary.BigEndian.PutUint16(b[22:], 7777)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
	return append(b, payload...)
}

func junk() (payloads [][]byte) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 64 {
		b := make([]byte, 60+i*10)
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		b[0] = []byte{23, 21, 0, 255}[i%4]
		if b[0] == 23 {
			copy(b[1:], []byte{0xfe, 0xfd, 0, 1})
			copy(b[17:21], b[7:11]) // it names a connection id
		}
		payloads = append(payloads, b)
	}
	return payloads
}

// attached says what program an interface has.
func attached(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("ip", "-d", "link", "show", "v0").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "prog/xdp") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// until waits for something that is to happen soon.
func (m *match) until(what string, limit time.Duration, happens func() bool) {
	m.Helper()
	for start := time.Now(); !happens(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > limit {
			m.Fatalf("%s: not within %v; %+v", what, limit, m.Server.Stats())
		}
	}
}

// The whole: players of a real server play on while strangers' junk from forged addresses does not get to its socket; newcomers
// come in meanwhile, and a player whose translator gives it another port is followed. When the program ends, nothing of it stays on
// the interface.
func TestUnderAttack(t *testing.T) {
	for _, mode := range []string{"native", "generic"} {
		t.Run(mode, func(t *testing.T) {
			alone(t, func(n *network) { underAttack(n, mode) })
		})
	}
}

func underAttack(n *network, mode string) {
	var out, errs console
	ctx, stop := context.WithCancel(n.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-interface", "v0", "-port", "7777", "-dir", n.maps, "-mode", mode, "-every", "1s"}, &out, &errs)
	}()
	for start := time.Now(); !strings.Contains(out.String(), "attached to v0: "+mode); time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			if strings.Contains(errs.String(), "operation not permitted") {
				n.Skip("BPF is not allowed here: " + errs.String())
			}
			n.Fatal(errs.String())
		default:
		}
		if time.Since(start) > 10*time.Second {
			n.Fatal("it does not attach")
		}
	}
	if attached(n.T) == "" {
		n.Error("v0 has no program")
	}

	m := newMatch(n)
	players := make([]*player, 0, 9)
	for i := range 6 {
		players = append(players, m.join(fmt.Sprint("player ", i), "192.0.2.2"))
	}
	m.until("the filter hears the server", 3*time.Second, func() bool { return strings.Contains(out.String(), "its server says") })
	if got := m.strangers(); got != 0 {
		n.Errorf("%d datagrams of players are strangers'", got)
	}

	forged, end := m.flood(50_000, junk())
	time.Sleep(300 * time.Millisecond)
	players = append(players, m.join("a newcomer", "192.0.2.3"))
	m.open(players[0], "192.0.2.2")
	m.until("the server follows a player to another port", 5*time.Second, func() bool { return players[0].Stats().Moved == 1 })
	m.until("a flood", 20*time.Second, func() bool { return forged.Load() >= 10_000 })
	for i, p := range players {
		before := p.got.Load()
		m.until(fmt.Sprintf("player %d hears something", i), 5*time.Second, func() bool { return p.got.Load() > before })
	}
	end()
	sent := int(forged.Load())
	if got := m.strangers(); got != 0 {
		n.Errorf("%d strangers' datagrams of %d have come to the socket", got, sent)
	}
	for i, p := range players {
		if st := p.Stats(); st.Resumed != 0 || p.got.Load() < p.sent.Load()*9/10 {
			n.Errorf("player %d: %d sent, %d came back; %+v", i, p.sent.Load(), p.got.Load(), st)
		}
	}
	if m.left.Load() != 0 {
		n.Errorf("%d players have left", m.left.Load())
	}

	stop()
	if status := <-ended; status != 0 {
		n.Errorf("exit status %d: %s", status, errs.String())
	}
	if on := attached(n.T); on != "" {
		n.Errorf("left on v0: %s", on)
	}
	table := out.String()[strings.LastIndex(out.String(), "packets "):]
	n.Logf("%s: %d datagrams forged\n%s", mode, sent, table)
	for _, v := range []filter.Verdict{filter.PassPeer, filter.PassRoamer, filter.PassHello, filter.PassOther, filter.DropStranger} {
		if count(table, v) == 0 {
			n.Errorf("%v: none", v)
		}
	}
	if got := count(table, filter.DropStranger); got < sent*9/10 && mode == "native" {
		n.Errorf("%d of %d were dropped", got, sent)
	}

	// Without the program the same flood does come to the socket: it was the filter.
	_, end = m.flood(10_000, junk())
	m.until("junk comes to the socket", 3*time.Second, func() bool { return m.strangers() > 0 })
	end()
}

// count is what a table says of a verdict.
func count(table string, v filter.Verdict) (n int) {
	for line := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(line, v.String()+" "); ok {
			_, _ = fmt.Sscan(rest, &n)
		}
	}
	return n
}
