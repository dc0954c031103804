package keys

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// counter counts decisions.
type counter [64]atomic.Int64

func (c *counter) Record(e audit.Event) { c[e.Decision].Add(1) }

// match is a real server that answers each payload with its name.
func match(t *testing.T, name byte, authority *testkit.Authority, issuer *testkit.Issuer, ring *fleetkey.Ring) (netip.AddrPort, *counter) {
	t.Helper()
	decisions := new(counter)
	s, err := transport.Listen("127.0.0.1:0", transport.Config{
		Certificate: *authority.Server(t), Verifier: issuer.Verifier(t), Shards: 1,
		Session: session.Config{FleetKeys: ring}, Audit: decisions,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(transport.Handler{Receive: func(p *transport.Player, _ []byte) { _ = p.Send([]byte{name}) }})
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, transport.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s.Addr(), decisions
}

// front is the address that players know: what arrives there goes to one of the servers.
type front struct {
	conn net.PacketConn

	mu    sync.Mutex
	back  netip.AddrPort
	flows map[netip.AddrPort]*net.UDPConn // by the player's address
}

func newFront(t *testing.T, back netip.AddrPort) *front {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{conn: conn, back: back, flows: map[netip.AddrPort]*net.UDPConn{}}
	go func() {
		for b := make([]byte, 2000); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if flow := f.flow(from); flow != nil {
				_, _ = flow.Write(b[:n])
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		f.turn(back)
	})
	return f
}

func (f *front) flow(from net.Addr) *net.UDPConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := from.(*net.UDPAddr).AddrPort()
	if c := f.flows[at]; c != nil {
		return c
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(f.back))
	if err != nil {
		return nil
	}
	f.flows[at] = c
	go func() {
		for b := make([]byte, 2000); ; {
			n, err := c.Read(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			_, _ = f.conn.WriteTo(b[:n], from)
		}
	}()
	return c
}

// turn has all that arrives from now on go to another server.
func (f *front) turn(back netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back = back
	for at, c := range f.flows {
		_ = c.Close()
		delete(f.flows, at)
	}
}

// "So that no ticket is lost": two real servers, a rotation under way, and at each of its steps, with
// one server ahead of the other too, players resume from either to the other. None is refused, and
// none signs in again.
func TestPlayersResumeAtEachStep(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	a, _ := e.holder(t, "a", true)
	b, _ := e.holder(t, "b", false)
	await(t, "both servers have the keys", func() bool { return a.Status().Joined && b.Status().Joined })
	toB := grants(b.number())
	toA := grants(a.number())

	authority, issuer := testkit.NewAuthority(t), testkit.NewIssuer(t)
	atA, decidedA := match(t, 'a', authority, issuer, a.config.Ring)
	atB, decidedB := match(t, 'b', authority, issuer, b.config.Ring)
	front := newFront(t, atA)

	const players = 3
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var heard [players]atomic.Int32 // the server that has answered last
	var signedIn atomic.Int32
	for i := range players {
		c, err := transport.Dial(ctx, front.conn.LocalAddr().String(), transport.ClientConfig{
			RootCAs: authority.Pool(), ServerName: testkit.ServerName,
			Token: func(context.Context) ([]byte, error) {
				signedIn.Add(1)
				return []byte(issuer.Token(t, token.Grant{Subject: string(rune('p' + i))})), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // at the end of the test
		wg.Go(func() {
			buf := make([]byte, c.MaxPayload())
			for {
				n, err := c.Receive(ctx, buf)
				if err != nil {
					if ctx.Err() == nil {
						t.Error("a player is out: ", err)
					}
					return
				}
				if n == 1 {
					heard[i].Store(int32(buf[0]))
				}
			}
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = c.Send([]byte("input"))
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	at := byte('a')
	cross := func(step string) { // everybody to the other server
		t.Helper()
		back := atB
		if at ^= 'a' ^ 'b'; at == 'a' {
			back = atA
		}
		front.turn(back)
		for i := range heard {
			await(t, step+": a player goes on on server "+string(at), func() bool { return heard[i].Load() == int32(at) })
		}
	}
	seals := func(h *Holder) uint32 { k, _ := h.config.Ring.First(); return k.ID() }
	old := seals(a)

	cross("steady")

	e.broker.hold(toB) // B does not hear of the next key
	if err := e.keeper.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "A has the next key", func() bool { return len(a.Status().Keys) == 3 }) // and one of its own from before the first grant
	if seals(a) != old || e.keeper.Status().Phase != PhaseSpread {
		t.Fatal("the next key seals before each server has it")
	}
	cross("A has the next key and B has not")

	e.broker.hold(toA) // A does not hear that it seals
	e.broker.release(toB)
	await(t, "B seals with the next key", func() bool { return seals(b) != old })
	if seals(a) != old {
		t.Fatal("A has heard of it")
	}
	cross("B seals with the next key and A with the old one")
	cross("the same, the other way")

	e.broker.release(toA)
	await(t, "nobody seals with the old key", func() bool { return e.keeper.Status().Phase == PhaseDrain })
	cross("both seal with the next key")

	e.keeper.mu.Lock()
	for i := range e.keeper.state.keys { // as if a day had passed
		if f := &e.keeper.state.keys[i]; f.role == RoleFormer {
			f.until = time.Now()
		}
	}
	e.keeper.mu.Unlock()
	await(t, "the old key is dropped", func() bool { return !has(a.config.Ring, old) && !has(b.config.Ring, old) })
	cross("the old key is dropped")

	const crossings = 6
	var resumed, accepted, rejected int64
	for _, d := range []*counter{decidedA, decidedB} {
		resumed += d[audit.Resume].Load()
		accepted += d[audit.Accept].Load()
		rejected += d[audit.Reject].Load()
	}
	if resumed != players*crossings || accepted != players || rejected != 0 || signedIn.Load() != players {
		t.Errorf("%d resumed, %d accepted, %d rejected, %d sign-ins", resumed, accepted, rejected, signedIn.Load())
	}
	cancel()
}
