package transport

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
)

// newcomer is a host of player 1's /24.
func newcomer(i int) netip.AddrPort {
	a := playerAddr(1).Addr().As4()
	a[3] = byte(3 + i)
	return netip.AddrPortFrom(netip.AddrFrom4(a), 1000)
}

// at has a player dial from an address, as the player with this number.
func (w *world) at(addr netip.AddrPort, n int) func(*ClientConfig) {
	return func(c *ClientConfig) {
		c.Conn.Close() //nolint:errcheck // never fails
		c.Conn = w.socket(addr)
		c.Token = w.tokens(grantFor(n))
	}
}

// "Whoever can prove an address comes in, whatever is sent from the rest of its prefix, or in its
// name." PROTOCOL.md 13: all of them within two seconds, at every rate and from wherever.
func TestNewcomersOfABesiegedPrefix(t *testing.T) {
	t.Parallel()
	const players = 20
	for name, from := range map[string]func(int) netip.AddrPort{
		"their /24":       neighbours,
		"everywhere":      func(i int) netip.AddrPort { return stranger(i * 7) },
		"their addresses": func(i int) netip.AddrPort { return netip.AddrPortFrom(newcomer(i%players).Addr(), uint16(2000+i)) },
	} {
		for _, flood := range []int{300, 3000} {
			if testing.Short() && flood > 300 {
				continue
			}
			t.Run(fmt.Sprintf("%d a second from %s", flood, name), func(t *testing.T) {
				t.Parallel()
				virtual(t, func(w *world) {
					w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
					w.serve(func(c *Config) { c.MaxHandshakes = 256 }) // 16 for strangers
					defer w.besiege(flood, from)()
					time.Sleep(3 * time.Second)
					var all sync.WaitGroup
					var longest atomic.Int64
					start := time.Now()
					for i := range players {
						all.Go(func() {
							w.join(2+i, w.at(newcomer(i), 2+i))
							longest.Store(max(longest.Load(), int64(time.Since(start))))
						})
					}
					all.Wait()
					if d := time.Duration(longest.Load()); d > 2*time.Second {
						w.Errorf("the last one is in after %v; %+v", d, w.server.Stats().Handshakes)
					}
					s := w.server.Stats().Handshakes
					if s.Retries.Sent == 0 || s.Retries.Returned == 0 || s.Retries.Wrong != 0 {
						w.Errorf("there is no flood: %+v", s)
					}
				})
			})
		}
	}
}

// "So of 200 players behind one address who press *play* at once, 40 are in within 2 seconds, and all
// within 8." docs/deploy.md: by two budgets, the strangers' and that of an address which was proven.
func TestCrowdBehindOneAddress(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve()
		var all sync.WaitGroup
		var mu sync.Mutex
		var took []time.Duration
		began := time.Now()
		for n := range 200 {
			all.Go(func() {
				w.join(2+n, w.at(netip.AddrPortFrom(newcomer(0).Addr(), uint16(2000+n)), 2+n))
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(began))
			})
		}
		all.Wait()
		slices.Sort(took)
		if took[39] > 2*time.Second || took[199] > 8*time.Second {
			t.Errorf("40 are in after %v, all after %v", took[39], took[199])
		}
	})
}

// "A server keeps a share of its places for clients that do not answer RETRY" PROTOCOL.md 9.10: such a client gets in
// during a flood that leaves some of it, and one that knows RETRY is not slower than without a flood but for a round trip.
func TestReservedShare(t *testing.T) {
	t.Parallel()
	const latency = 40 * time.Millisecond
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: latency})
		w.serve()
		defer w.besiege(900, func(i int) netip.AddrPort { return stranger(i * 200) })()
		time.Sleep(3 * time.Second)
		start := time.Now()
		w.join(1)
		if d := time.Since(start); d > 10*latency {
			w.Errorf("who knows RETRY is in after %v, want five round trips at most", d)
		}
		w.knowsNoRetry()
		start = time.Now()
		if _, err := w.tryFor(30*time.Second, 2); err != nil {
			w.Errorf("who does not is not in after %v: %v", time.Since(start), err)
		}
	})
}

// "half-open handshakes whose senders have proven nothing | a sixteenth of all places, 8 at least; twice as many begun a
// second" PROTOCOL.md 12: also where few addresses begin anew all the time, each with a prefix of its own.
func TestStrangersBeginFew(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		defer w.besiege(3000, func(i int) netip.AddrPort { return stranger(i % 100 * 200) })()
		before := w.server.Stats().Handshakes.Started
		time.Sleep(3 * time.Second)
		if n := w.server.Stats().Handshakes.Started - before; n > 2*strangers*4 {
			w.Errorf("%d handshakes begin in 3 s", n)
		}
	})
}

// crowded is a server that has no room for strangers, and a ClientHello.
func (w *world) crowded() (hello []byte) {
	w.Helper()
	w.serve(func(c *Config) { c.MaxHandshakes = 64 })
	hello = w.firstHello()
	for i := range 8 {
		w.net.Inject(stranger(i*200), serverAddr, hello)
	}
	synctest.Wait()
	return hello
}

// inTurn calls f in the first shard's turn.
func (w *world) inTurn(f func(s *shard)) {
	w.Helper()
	s := w.server.first()
	if !s.Turns.Begin(nil) {
		w.Fatal("no turn")
	}
	defer s.Turns.End()
	f(s)
}

// underway returns the handshake at an address.
func (w *world) underway(addr netip.AddrPort) (o *dtls.HalfOpen) {
	w.inTurn(func(s *shard) { o = s.Handshakes.At(udp.Flow{AddrPort: addr}) })
	return o
}

// holdings returns what the first shard holds.
func (w *world) holdings() (h dtls.Holdings) {
	w.inTurn(func(s *shard) { h = s.Holdings() })
	return h
}

// collect returns what the server sends to an address from now on.
func (w *world) collect(to netip.AddrPort) *tape {
	got := new(tape)
	w.net.Tap(func(_, at netip.AddrPort, b []byte) bool {
		if at == to {
			*got = append(*got, slices.Clone(b))
		}
		return true
	})
	return got
}

// "A server that has no room for a first ClientHello, or another handshake in its place, SHOULD answer it with one
// RETRY. It MUST NOT keep anything of it. A RETRY is shorter than the shortest ClientHello." PROTOCOL.md 9.10
func TestRetryKeepsNothing(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		hello := w.crowded()
		before := w.holdings()
		for n, b := range [][]byte{hello, shortest(hello)} {
			victim := stranger(5000 + n)
			got := w.collect(victim)
			w.net.Inject(victim, serverAddr, b)
			synctest.Wait()
			if len(*got) != 1 || len((*got)[0]) >= len(b) {
				w.Fatalf("%d bytes are answered by %x", len(b), *got)
			}
			random := [32]byte(b[27:])
			if _, ok := retry.ParseRetry((*got)[0], &random); !ok {
				w.Errorf("%x is no RETRY for it", (*got)[0])
			}
		}
		after := w.holdings()
		if after.Arrivals <= before.Arrivals { // what is over goes at the next look
			before.Arrivals = after.Arrivals
		}
		if after != before {
			w.Errorf("%+v, was %+v", after, before)
		}
	})
}

// The same in memory and in garbage: a million ClientHellos from a million addresses, of which each is
// answered.
func TestRetryFlood(t *testing.T) {
	flood := 1_000_000
	if testing.Short() {
		flood = 20_000
	}
	e := newEnds(t, playerAddr(1), Handler{})
	for i := range strangers {
		if e.shard.Handshakes.Offer(e.now, udp.Flow{AddrPort: stranger(i * 200)}) == nil {
			t.Fatalf("no room for stranger %d", i)
		}
	}
	hello := append([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd}, make([]byte, 34)...)
	hello = append(hello, 0, 2, 0xc0, 0x2b, 1, 0) // a suite, no compression
	i := 0
	refuse := func() {
		i++
		a := netip.AddrFrom4([4]byte{150, byte(i >> 16), byte(i >> 8), byte(i)})
		e.shard.Datagram(e.now, udp.Flow{AddrPort: netip.AddrPortFrom(a, uint16(i))}, hello)
	}
	refuse() // the first makes a key
	before, held := heapBytes(), e.shard.Holdings()
	if n := testing.AllocsPerRun(flood, refuse); n != 0 {
		t.Errorf("%v allocations each", n)
	}
	if grown := int64(heapBytes()) - int64(before); grown > 64<<10 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	if now := e.shard.Holdings(); now != held {
		t.Errorf("%+v, was %+v", now, held)
	}
	if n := e.shard.Stats().Retries.Sent; n != uint64(flood)+2 {
		t.Errorf("%d of %d are answered", n, flood)
	}
}

// BenchmarkRefusedHello is what a ClientHello from a stranger costs for which there is no room: from the
// socket to the outbox.
func BenchmarkRefusedHello(b *testing.B) {
	e := newEnds(b, playerAddr(1), Handler{})
	for i := range strangers {
		e.shard.Handshakes.Offer(e.now, udp.Flow{AddrPort: stranger(i * 200)})
	}
	hello := append([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd}, make([]byte, 34)...)
	hello = append(hello, 0, 2, 0xc0, 0x2b, 1, 0)
	i := 0
	for b.Loop() {
		i++
		a := netip.AddrFrom4([4]byte{150, byte(i >> 16), byte(i >> 8), byte(i)})
		e.shard.Datagram(e.now, udp.Flow{AddrPort: netip.AddrPortFrom(a, uint16(i))}, hello)
	}
}

// "A server handles the records in a RETURN as if they had come without it. It checks the token only
// of one with a first ClientHello, and before it keeps anything. One that is not good, such as that of
// another process, is as none." PROTOCOL.md 9.10
func TestWrongTokens(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		hello := w.crowded()
		s := w.server.first()
		from := stranger(5000)
		good := w.server.endpoint.Returned(w.server.clock.now(), from, hello)
		other := slices.Clone(hello)
		other[30]++
		changed := slices.Clone(good)
		changed[12]++
		for name, c := range map[string]struct {
			from netip.AddrPort
			b    []byte
		}{
			"changed":         {from, changed},
			"another port":    {netip.AddrPortFrom(from.Addr(), 1), good},
			"another address": {stranger(5001), good},
			"another hello":   {from, append(slices.Clone(good[:retry.ReturnLen]), other...)},
		} {
			before, got := s.Stats(), w.collect(c.from)
			w.net.Inject(c.from, serverAddr, c.b)
			synctest.Wait()
			after := s.Stats()
			if after.Started != before.Started || after.Retries.Wrong != before.Retries.Wrong+1 || len(*got) != 1 || !retry.IsRetry((*got)[0]) {
				w.Errorf("%s: %+v, answered by %x", name, after, *got)
			}
		}
		before := s.Stats()
		for name, b := range map[string][]byte{
			"cut": good[:retry.ReturnLen], "before a record": append(slices.Clone(good[:retry.ReturnLen]), rec(23, 1, 0, 1)...),
			"twice": append(slices.Clone(good[:retry.ReturnLen]), good...), "another version": append([]byte{good[0], 2}, good[2:]...),
		} {
			got := w.collect(from)
			w.net.Inject(from, serverAddr, b)
			synctest.Wait()
			if len(*got) > 0 {
				w.Errorf("%s: answered by %x", name, *got)
			}
		}
		if after := s.Stats(); after.Drops["source"]-before.Drops["source"] != 4 || after.Started != before.Started {
			w.Errorf("%+v", after)
		}
		w.net.Inject(from, serverAddr, good)
		synctest.Wait()
		if w.underway(from) == nil {
			w.Error("a good token is worth nothing")
		}
		time.Sleep(retry.Life)
		before = s.Stats()
		w.net.Inject(from, serverAddr, good)
		synctest.Wait()
		if after := s.Stats(); after.Retries.Wrong != before.Retries.Wrong+1 {
			w.Errorf("it is good after %v: %+v", retry.Life, after)
		}
	})
}

// "a copy is worth another start of the same handshake at the same address, for 10 s, and nothing else"
// PROTOCOL.md 9.10
func TestReplayedReturn(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.crowded()
		toServer, _ := w.tap(1)
		c := w.dial(1)
		w.echo(c, "in")
		w.net.Tap(nil)
		var copied []byte
		for _, b := range *toServer {
			if retry.IsReturn(b) {
				copied = b
				break
			}
		}
		if copied == nil {
			w.Fatal("it came in without a token")
		}
		before := w.server.Stats().Handshakes.Started
		for i := range 3000 {
			w.net.Inject(playerAddr(1), serverAddr, copied)
			w.net.Inject(stranger(5000+i), serverAddr, copied)
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.server.Stats().Handshakes.Started - before; n > 8+uint64(30*time.Second/time.Second)*8+3 {
			w.Errorf("3,000 copies begin %d handshakes", n)
		}
		own := w.underway(playerAddr(1))
		if own != nil && own.Proven() {
			w.Error("a copy has proven something")
		}
		w.echo(c, "still here")
	})
}

// "It MUST ignore one with another random, or of another length or version, and any after
// HelloVerifyRequest. It MUST NOT take more than 3 in one handshake." PROTOCOL.md 9.10: whoever is not on the path makes a
// client send nothing, and whoever is makes it send three datagrams more. The player gets in in
// either case.
func TestForgedRetries(t *testing.T) {
	t.Parallel()
	for name, knows := range map[string]bool{"off the path": false, "on the path": true} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
			w.serve()
			hellos, returns, answered := 0, 0, false
			w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
				switch {
				case from == serverAddr && b[0] == 22:
					answered = true
				case to != serverAddr:
				case retry.IsReturn(b) && !answered:
					returns++
				case b[0] == 22 && !answered:
					hellos++
					for i := range 200 {
						random := [32]byte{byte(i)}
						if knows {
							random = [32]byte(b[27:])
						}
						forged := retry.AppendRetry(nil, &retry.Token{byte(i)}, &random)
						w.net.Inject(serverAddr, from, forged)
						w.net.Inject(serverAddr, from, forged[:len(forged)-1])
						forged[1]++
						w.net.Inject(serverAddr, from, forged)
					}
				}
				return true
			})
			start := time.Now()
			w.echo(w.dial(1), "in")
			if d := time.Since(start); d > time.Second {
				w.Errorf("%s: in after %v", name, d)
			}
			if hellos != 1 || returns != map[bool]int{false: 0, true: retry.MaxRetries}[knows] {
				w.Errorf("%s: %d ClientHellos and %d with a forged token", name, hellos, returns)
			}
		})
	}
}

// "From then on each datagram of that handshake that it sends has a RETURN in front of it, a repeated
// one too." PROTOCOL.md 9.10: and what is behind it is what it would be without, also where flights are lost and the
// server's keys change in the middle.
func TestReturnGoesAhead(t *testing.T) {
	t.Parallel()
	for lost := range 6 {
		virtual(t, func(w *world) {
			w.crowded()
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			n, asked, bare, hello := 0, false, 0, []byte(nil)
			w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
				switch {
				case retry.IsRetry(b) && to == playerAddr(1):
					asked = true
				case from == playerAddr(1) && b[0] != 23 && asked:
					r, ok := retry.ParseReturn(b)
					if !ok {
						bare++
						return true
					}
					if n == 0 && !bytes.Equal(r.Records, hello) {
						w.Errorf("%x, not %x", r.Records, hello)
					}
					n++
					return n != lost
				case from == playerAddr(1) && b[0] == 22:
					hello = slices.Clone(b)
				}
				return true
			})
			c := w.dial(1)
			w.echo(c, "in")
			if n < 3 || bare > 0 {
				w.Errorf("%d datagrams have a token, %d have none", n, bare)
			}
		})
	}
}

// A ClientHello in fragments is asked and let in like any other.
func TestFragmentsReturn(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.crowded()
		g := w.greeter(stranger(5000))
		defer g.socket.Close()
		first := g.fragments(0, g.hello(nil, []uint16{0xc02b}, usual...), 500)[0]
		g.send(first)
		random := [32]byte(bytes.Repeat([]byte{g.random}, 32))
		token, ok := retry.ParseRetry(g.hear(), &random)
		if !ok {
			w.Fatal("it is not asked")
		}
		ahead := func(b []byte) []byte { return append(retry.AppendReturn(nil, &token, nil, nil), b...) }
		cookie := g.ask(ahead(first))
		for _, b := range g.fragments(1, g.hello(cookie, []uint16{0xc02b}, usual...), 500) {
			g.send(ahead(b))
		}
		if b := g.hear(); len(b) < 14 || b[13] != 2 { // ServerHello
			w.Errorf("the fragments are answered by %x", b)
		}
	})
}

// "Such a handshake MUST NOT end for one whose sender has proven nothing, and another one with a token
// takes its place until the cookie has come back." PROTOCOL.md 9.10
func TestReturnedStays(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		hello := w.crowded()
		from := stranger(5000)
		w.net.Inject(from, serverAddr, w.server.endpoint.Returned(w.server.clock.now(), from, hello))
		synctest.Wait()
		mine := w.underway(from)
		if mine == nil {
			w.Fatal("it has no place")
		}
		other := slices.Clone(hello)
		for i := range 200 {
			other[30]++
			w.net.Inject(from, serverAddr, other)
			w.net.Inject(stranger(6000+i*200), serverAddr, hello)
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if w.underway(from) != mine {
			w.Error("it is gone")
		}
		w.net.Inject(from, serverAddr, w.server.endpoint.Returned(w.server.clock.now(), from, other))
		synctest.Wait()
		if now := w.underway(from); now == nil || now == mine {
			w.Error("another one with a token does not take its place")
		}
	})
}

// "Such a handshake MUST NOT end for one whose sender has proven nothing" PROTOCOL.md 9.10: where all places are taken by such
// handshakes, neither for a stranger's, nor for one at a live player's address, which anybody may have written.
func TestTokensHoldAllPlaces(t *testing.T) {
	t.Parallel()
	const most = 16
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.MaxHandshakes = most })
		hello := w.firstHello()
		w.dial(1, quietClient)
		for i := range most {
			from := stranger(i * 200)
			w.net.Inject(from, serverAddr, w.server.endpoint.Returned(w.server.clock.now(), from, hello))
		}
		synctest.Wait()
		for i := range 30 {
			w.net.Inject(stranger((most+i)*200), serverAddr, hello)
			w.net.Inject(netip.AddrPortFrom(playerAddr(1).Addr(), uint16(2000+i)), serverAddr, hello)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		for i := range most {
			if w.underway(stranger(i*200)) == nil {
				w.Errorf("the handshake %d with a token has ended: %+v", i, w.server.Stats().Handshakes)
			}
		}
	})
}

// "On a carrier (section 9.7) the address is proven: a server MUST NOT send RETRY there." PROTOCOL.md 9.10: a
// ClientHello has what its address has, or is dropped.
func TestNoRetryOnACarrier(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		hello := w.crowded()
		var before, after dtls.Stats
		w.inTurn(func(s *shard) {
			before = s.Stats()
			for i := range 20 {
				at := udp.Flow{AddrPort: netip.AddrPortFrom(stranger(5000).Addr(), uint16(1+i)), Local: addrtable.Carried}
				s.Datagram(w.server.clock.now(), at, hello)
			}
			for s.Greet(w.server.clock.now(), 0) {
			}
			after = s.Stats()
		})
		if n := after.Started - before.Started; n != defaultMaxUnproven || after.Retries != before.Retries || after.Drops["budget"] != 20-defaultMaxUnproven {
			w.Errorf("%d begin; %+v", n, after)
		}
		time.Sleep(2 * defaultHandshakeTimeout)
	})
}

// "Its session then has room of its own, too, so that players who come back together from one address do
// not wait for each other." PROTOCOL.md 9.10: they do not even where their network is besieged.
func TestReturnTogether(t *testing.T) {
	t.Parallel()
	players := 200
	if testing.Short() {
		players = 60
	}
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		share, _ := w.keyed()
		w.serve(share, func(c *Config) { c.Sources.PerSecond, c.Sources.Burst, c.MaxUnproven = 1000, 1000, 1000 })
		var all sync.WaitGroup
		var clients []*Client
		var mu sync.Mutex
		for i := range players {
			all.Go(func() {
				c := w.join(2+i, w.at(netip.AddrPortFrom(newcomer(0).Addr(), uint16(1000+i)), i))
				mu.Lock()
				defer mu.Unlock()
				clients = append(clients, c)
			})
		}
		all.Wait()
		_ = w.server.Close()
		w.serve(share) // 20 a second for one network
		defer w.besiege(300, neighbours)()
		for _, c := range clients {
			_ = c.Send([]byte("is anybody there?"))
		}
		begin, back, first := time.Now(), 0, time.Time{}
		for ; back < players && time.Since(begin) < time.Minute; time.Sleep(10 * time.Millisecond) {
			back = 0
			for _, c := range clients {
				back += int(min(c.Stats().Resumed, 1))
			}
			if back > 0 && first.IsZero() {
				first = time.Now()
			}
		}
		if d := time.Since(first); back < players || d > 2*time.Second {
			w.Errorf("%d of %d players are back %v after the first; %+v", back, players, d, w.server.Stats().Handshakes)
		}
		s := w.server.Stats().Handshakes.Retries
		if s.Vouched < uint64(players)/2 || s.Wrong > 0 {
			w.Errorf("they are back without tickets: %+v", s)
		}
	})
}

// "It counts for its session, whatever the address, and only with a good token." PROTOCOL.md 9.10: one ticket is worth one
// session's room, and one that is not good, or is not its sender's, is worth nothing.
func TestTicketsInReturn(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		share, retire := w.keyed()
		w.serve(share, func(c *Config) { c.MaxHandshakes, c.MaxUnproven = 64, 1 })
		c := w.dial(1)
		c.mu.Lock()
		ticket, key, ok := c.state.conns.current.machine.ReturnTicket()
		c.mu.Unlock()
		if !ok {
			w.Fatal("no ticket")
		}
		hello := w.firstHello()
		random := [32]byte(hello[27:])
		s, from := w.server.first(), newcomer(50)
		offer := func(port uint16, ticket []byte, key [32]byte) (begun, vouched uint64) {
			before := s.Stats()
			at := netip.AddrPortFrom(from.Addr(), port)
			bare := w.server.endpoint.Returned(w.server.clock.now(), at, hello)
			token := retry.Token(bare[2:])
			proof := retry.Prove(&key, &token, &random)
			w.net.Inject(at, serverAddr, append(retry.AppendReturn(nil, &token, ticket, &proof), hello...))
			synctest.Wait()
			after := s.Stats()
			return after.Started - before.Started, after.Retries.Vouched - before.Retries.Vouched
		}
		if begun, _ := offer(1, nil, key); begun != 1 { // the address's own
			w.Fatal("an address has no room")
		}
		for port := range uint16(2) {
			if begun, vouched := offer(10+port, ticket, key); begun != 1 || vouched != 1 {
				w.Errorf("handshake %d of the session: %d, %d", port, begun, vouched)
			}
		}
		if begun, vouched := offer(20, ticket, key); begun != 0 || vouched != 1 {
			w.Errorf("a session has more than its room: %d, %d", begun, vouched)
		}
		damaged := slices.Clone(ticket)
		damaged[20]++
		if begun, vouched := offer(21, damaged, key); begun != 0 || vouched != 0 {
			w.Errorf("a damaged ticket: %d, %d", begun, vouched)
		}
		if begun, vouched := offer(22, ticket, [32]byte{}); begun != 0 || vouched != 0 {
			w.Errorf("another one's ticket: %d, %d", begun, vouched)
		}
		retire()
		if begun, vouched := offer(23, ticket, key); begun != 0 || vouched != 0 {
			w.Errorf("a ticket of another fleet: %d, %d", begun, vouched)
		}
		if n := s.Dropped(audit.DropBudget); n != 4 {
			w.Errorf("%d dropped", n)
		}
		time.Sleep(2 * defaultHandshakeTimeout)
	})
}

// "While it does so, a server SHOULD send RETRY in front of HelloVerifyRequest where there is room, too." PROTOCOL.md
// 9.10: once one ClientHello has been drawn, none of the handshake is left to the lot, where a player lives at the
// address or nobody does.
func TestProofWhileShedding(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]netip.AddrPort{"own": netip.AddrPortFrom(playerAddr(1).Addr(), 7000), "newcomer": newcomer(5)} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			w.serve()
			w.echo(w.dial(1), "in")
			w.server.endpoint.Sheds()
			came, answered, drawn := 0, 0, false
			w.net.Tap(func(src, dst netip.AddrPort, b []byte) bool {
				switch {
				case dst == from && !drawn:
					w.Errorf("%s: it is answered before it has asked", name)
				case dst == from && b[0] != 23 && came < 400:
					if answered += len(b); answered > came {
						w.Errorf("%s: %d bytes have come, and %d are answered", name, came, answered)
					}
				case src == from && b[0] == 22 && b[4] == 0:
					if drawn {
						return false
					}
					drawn, came = true, came+len(b)
				case src == from:
					came += len(b)
				}
				return true
			})
			start := time.Now()
			w.echo(w.dial(2, w.at(from, 2)), "in")
			if d := time.Since(start); d > 500*time.Millisecond {
				w.Errorf("%s: in after %v", name, d)
			}
		})
	}
}

// "A server handles the records in a RETURN as if they had come without it." PROTOCOL.md 9.10: by the alert
// behind one it knows why a client ends the handshake.
func TestReturnedAlert(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.crowded()
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		_, err := w.try(1, func(c *ClientConfig) { c.ServerName = "elsewhere.example.com" })
		if err == nil {
			w.Fatal("it accepts another server's certificate")
		}
		time.Sleep(2 * time.Second)
		if s := w.server.Stats().Handshakes; s.FailedBy["alert"] != 1 {
			w.Errorf("%v: %+v", err, s)
		}
	})
}
