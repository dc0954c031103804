package netsim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sent is a datagram that was written, and what became of it.
type sent struct {
	at, arrived time.Duration // since the beginning; arrived is zero for a lost one
	bits        int64
	to          netip.AddrPort
}

// flow writes datagrams of random sizes at random instants and says which of them have arrived, and
// when. Each receiver's address is drawn.
func flow(t *testing.T, r *rand.Rand, count int, pause time.Duration, from *Conn, to ...*Conn) []sent {
	t.Helper()
	all, start := make([]sent, count), time.Now()
	for _, c := range to {
		go func() {
			for b := make([]byte, maxPayload); ; {
				if _, _, err := c.ReadFromUDPAddrPort(b); err != nil {
					return
				}
				all[binary.BigEndian.Uint32(b)].arrived = time.Since(start)
			}
		}()
	}
	for i := range all {
		c := to[r.IntN(len(to))]
		payload := binary.BigEndian.AppendUint32(nil, uint32(i))
		payload = append(payload, make([]byte, r.IntN(1400))...)
		header := 28
		if c.AddrPort().Addr().Is6() {
			header = 48
		}
		all[i] = sent{at: time.Since(start), bits: int64(len(payload)+header) * 8, to: c.AddrPort()}
		if _, err := from.WriteToUDPAddrPort(payload, c.AddrPort()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Int64N(int64(2*pause) + 1)))
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	return all
}

// "A datagram takes as long as its IP packet has bits" and "Queue is the longest time that a datagram
// waits for those before it at the bottleneck": for any bandwidth, queue, sizes and load, a datagram
// that arrives has waited at most Queue, one that is dropped would have waited longer, and the
// bottleneck is exactly as fast as configured and never idle while a packet waits.
func TestBottleneck(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		im := Impairment{
			Latency:   time.Duration(r.IntN(100)) * time.Millisecond,
			Bandwidth: 8_000 + r.Int64N(1<<(13+r.IntN(20))),
			Queue:     time.Duration(1 + r.IntN(int(time.Second))),
		}
		load := 0.2 + 2*r.Float64()
		pause := time.Duration(750 * 8 / load / float64(im.Bandwidth) * 1e9)
		synctest.Test(t, func(t *testing.T) {
			n := New(seed)
			defer n.Close()
			a, b, c := listen(t, n, alice), listen(t, n, bob), listen(t, n, carol)
			if err := n.SetImpairment(im); err != nil {
				t.Fatal(err)
			}
			all := flow(t, r, 500, pause, a, b, c)
			s := n.Stats()
			balance(t, s)
			through := checkBottleneck(t, all, im)
			if s.Delivered != uint64(through) || s.TailDropped != uint64(len(all)-through) {
				t.Errorf("seed %d: %d are through, %+v", seed, through, s)
			}
			if load > 1.5 && s.TailDropped == 0 && im.Queue < 300*pause {
				t.Errorf("seed %d: nothing is dropped at %.1f times the bandwidth, queue %v", seed, load, im.Queue)
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d: %+v at load %.2f", seed, im, load)
		}
	}
}

// checkBottleneck follows the bits that wait, in units of a nanosecond's share of a bit, and returns
// how many datagrams are through.
func checkBottleneck(t *testing.T, all []sent, im Impairment) (through int) {
	t.Helper()
	var busy time.Duration // since when the bottleneck has not been idle
	var bits int64         // taken since then
	for i, d := range all {
		free := busy + time.Duration(bits*int64(time.Second)/im.Bandwidth)
		if free < d.at {
			busy, bits, free = d.at, 0, d.at
		}
		if d.arrived == 0 {
			if free-d.at <= im.Queue {
				t.Errorf("%d is dropped, and would have waited %v of %v", i, free-d.at, im.Queue)
			}
			continue
		}
		through++
		bits += d.bits
		if want := busy + time.Duration(bits*int64(time.Second)/im.Bandwidth) + im.Latency; d.arrived != want {
			t.Errorf("%d arrives at %v, want %v", i, d.arrived, want)
		}
		if free-d.at > im.Queue {
			t.Errorf("%d has waited %v of %v", i, free-d.at, im.Queue)
		}
	}
	return through
}

// However many packets of an odd size pass at an odd bandwidth, not a nanosecond is lost to rounding.
func TestBottleneckDoesNotDrift(t *testing.T) {
	for _, bandwidth := range []int64{1, 7, 56_001, 1_999_993, 999_999_999_989, MaxBandwidth} {
		var b bottleneck
		now := time.Now()
		im := Impairment{Bandwidth: bandwidth, Queue: 1 << 62}
		const packets, size = 100_000, 29
		count := int64(packets)
		if bandwidth < 1000 {
			count = 100 // a day at a bit a second
		}
		for range count {
			now2, ok := b.pass(now, im, size)
			if !ok || now2 != b.free {
				t.Fatal(now2, ok)
			}
		}
		if got, want := b.free.Sub(now), time.Duration(count*size*8)*time.Second/time.Duration(bandwidth); got != want && count*size*8 < 9e9 {
			t.Errorf("%d bits at %d a second take %v, want %v", count*size*8, bandwidth, got, want)
		}
	}
}

// "All that it sends, to whatever addresses, shares one bottleneck", and so does all that comes to a
// socket: two flows that together want more than there is get all of it, and about half each.
func TestFlowsShare(t *testing.T) {
	const bandwidth, duration = 1_000_000, 20 * time.Second
	im := Impairment{Bandwidth: bandwidth, Queue: 100 * time.Millisecond}
	for name, set := range map[string]func(*Network, map[netip.AddrPort]*Conn) error{
		"outgoing": func(_ *Network, c map[netip.AddrPort]*Conn) error { return c[alice].SetImpairment(im) },
		"incoming": func(_ *Network, c map[netip.AddrPort]*Conn) error { return c[alice].SetIncoming(im) },
		"network":  func(n *Network, _ map[netip.AddrPort]*Conn) error { return n.SetImpairment(im) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New(1)
				defer n.Close()
				conns := map[netip.AddrPort]*Conn{}
				for _, addr := range []netip.AddrPort{alice, bob, carol} {
					conns[addr] = listen(t, n, addr)
				}
				if err := set(n, conns); err != nil {
					t.Fatal(err)
				}
				bits := shared(conns, name == "incoming", duration)
				s := n.Stats()
				total := bits[bob] + bits[carol]
				if most := int64(bandwidth*(duration+im.Queue)/time.Second) + 1048*8; total > most || total < most*99/100 || s.TailDropped == 0 {
					t.Errorf("%d bits in %v, the queue and one packet, of %d; %+v", total, duration, most, s)
				}
				if share := float64(bits[bob]) / float64(total); share < 0.4 || share > 0.6 {
					t.Errorf("one of two has %.2f", share)
				}
			})
		})
	}
}

// shared sends two flows, each of the whole bandwidth, and counts the bits of IP packets that arrive of
// each.
func shared(conns map[netip.AddrPort]*Conn, toAlice bool, duration time.Duration) map[netip.AddrPort]int64 {
	var mu sync.Mutex
	bits := map[netip.AddrPort]int64{}
	for _, peer := range []netip.AddrPort{bob, carol} {
		from, to := conns[alice], conns[peer]
		if toAlice {
			from, to = to, from
		}
		go func() {
			r := rand.New(rand.NewPCG(uint64(peer.Port()), 0))
			payload := make([]byte, 1000)
			for start := time.Now(); time.Since(start) < duration; time.Sleep(time.Duration(r.IntN(16)) * time.Millisecond) {
				from.WriteToUDPAddrPort(payload, to.AddrPort())
			}
		}()
		if toAlice && peer == carol {
			continue // alice reads already
		}
		go func() {
			for b := make([]byte, 2000); ; {
				k, source, err := to.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				counted := peer
				if toAlice {
					counted = source
				}
				header := 28
				if to.AddrPort().Addr().Is6() {
					header = 48
				}
				mu.Lock()
				bits[counted] += int64(k+header) * 8
				mu.Unlock()
			}
		}()
	}
	time.Sleep(duration + time.Minute)
	synctest.Wait()
	return bits
}

// "each has a bottleneck to itself": the one direction does not slow down the other, nor one sender
// another.
func TestBottlenecksAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a, b, c := listen(t, n, alice), listen(t, n, bob), listen(t, n, carol)
		n.SetImpairment(Impairment{Bandwidth: 8000}) // 1,000 bytes a second
		start := time.Now()
		a.WriteToUDPAddrPort(make([]byte, 1000-28), carol)
		a.WriteToUDPAddrPort(make([]byte, 9), carol) // would wait for a second
		c.WriteToUDPAddrPort(make([]byte, 500-28), alice)
		b.WriteToUDPAddrPort(make([]byte, 250-28), alice)
		for _, want := range []struct {
			conn *Conn
			from netip.AddrPort
			at   time.Duration
		}{{a, bob, 250 * time.Millisecond}, {a, carol, 500 * time.Millisecond}, {c, alice, time.Second}} {
			_, from, err := want.conn.ReadFromUDPAddrPort(make([]byte, 2000))
			if d := time.Since(start); err != nil || from != want.from || d != want.at {
				t.Errorf("from %v after %v, %v; want %v after %v", from, d, err, want.from, want.at)
			}
		}
		if s := n.Stats(); s.TailDropped != 1 {
			t.Errorf("stats %+v: DefaultQueue is %v", s, DefaultQueue)
		}
	})
}

// A datagram passes its sender's bottleneck and its receiver's: the slower one decides, and each
// part of the way adds its own latency.
func TestUplinkAndDownlink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a, c := listen(t, n, alice), listen(t, n, carol)
		a.SetImpairment(Impairment{Bandwidth: 80_000, Latency: 7 * time.Millisecond})
		c.SetIncoming(Impairment{Bandwidth: 40_000, Latency: 5 * time.Millisecond, Duplicate: 1})
		start := time.Now()
		for range 3 {
			a.WriteToUDPAddrPort(make([]byte, 100-28), carol) // 10 ms up, 20 ms down
		}
		for i := range 6 {
			want := time.Duration(10+7+20*(i/2+1)+5) * time.Millisecond
			if c.ReadFromUDPAddrPort(make([]byte, 200)); time.Since(start) != want {
				t.Errorf("%d arrives after %v, want %v", i, time.Since(start), want)
			}
		}
		balance(t, n.Stats())
	})
}

// "what the bottleneck drops does not shift the fates of others"
func TestTailDropDoesNotShiftFates(t *testing.T) {
	run := func(bandwidth int64) (all []sent, s Stats) {
		synctest.Test(t, func(t *testing.T) {
			n := New(5)
			defer n.Close()
			a, c := listen(t, n, alice), listen(t, n, carol)
			n.SetImpairment(Impairment{Latency: 1, Loss: 0.3, Bandwidth: bandwidth})
			all = flow(t, rand.New(rand.NewPCG(1, 1)), 500, 10*time.Millisecond, a, c)
			s = n.Stats()
		})
		return all, s
	}
	wide, _ := run(0)
	narrow, s := run(400_000)
	if s.TailDropped < 50 || s.Lost < 50 {
		t.Fatalf("stats %+v", s)
	}
	for i := range wide {
		if wide[i].arrived == 0 && narrow[i].arrived != 0 {
			t.Errorf("%d is lost, and not over the narrow path", i)
		}
	}
}

// What a bottleneck has taken leaves as fast as when it was written; a new bandwidth holds for what
// comes later.
func TestBandwidthChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a, c := listen(t, n, alice), listen(t, n, carol)
		start := time.Now()
		for _, bandwidth := range []int64{8_000, 80_000, 0} {
			a.SetImpairment(Impairment{Bandwidth: bandwidth, Queue: time.Second})
			a.WriteToUDPAddrPort(make([]byte, 100-28), carol)
		}
		for i, want := range []time.Duration{100 * time.Millisecond, 110 * time.Millisecond, 110 * time.Millisecond} {
			if c.ReadFromUDPAddrPort(make([]byte, 100)); time.Since(start) != want {
				t.Errorf("%d arrives after %v, want %v", i, time.Since(start), want)
			}
		}
	})
	// A rest of less than a nanosecond stays one.
	var b bottleneck
	now := time.Now()
	fast, _ := b.pass(now, Impairment{Bandwidth: MaxBandwidth - 1, Queue: time.Hour}, 100)
	slow, _ := b.pass(now, Impairment{Bandwidth: 8, Queue: time.Hour}, 1)
	if d := slow.Sub(fast); d != time.Second {
		t.Errorf("a byte at 8 bits a second takes %v", d)
	}
}

// "Inject delivers a copy of b to the socket at to, at once and unharmed", whatever is set.
func TestInjectPassesBy(t *testing.T) {
	n := New(1)
	defer n.Close()
	c := listen(t, n, carol)
	n.SetImpairment(Impairment{Loss: 1})
	c.SetIncoming(Impairment{Loss: 1, Bandwidth: 1})
	n.Inject(alice, carol, []byte("x"))
	expect(t, c, alice, "x")
}

// The header is that of the address written to, or read from; a mapped address is one of IPv4.
func TestPacketSize(t *testing.T) {
	for addr, header := range map[string]int{"192.0.2.1": 28, "::ffff:192.0.2.1": 28, "2001:db8::1": 48, "fe80::1%eth0": 48} {
		peer := netip.AddrPortFrom(netip.MustParseAddr(addr), 1)
		for name, d := range map[string]*datagram{"to": {to: peer}, "from": {from: peer}} {
			d.data = make([]byte, 100)
			var (
				l line
				b bottleneck
			)
			l.mu.Lock()
			now := time.Now()
			l.take(now, newLink(1, 1), &b, Impairment{Bandwidth: 8000, Queue: 1}, d)
			l.mu.Unlock()
			if got := b.free.Sub(now); got != time.Duration(100+header)*time.Millisecond {
				t.Errorf("%s %s: %v for 100 bytes of payload at a byte a ms", name, addr, got)
			}
		}
	}
}

// A real socket has a bottleneck each way, and OnDrop sees what its queue has no room for.
func TestImpairBandwidth(t *testing.T) {
	real := loopback(t)
	i := impair(t, loopback(t), Impairment{Bandwidth: 400_000, Queue: 50 * time.Millisecond}, 1) // 50 bytes a ms
	defer i.Close()
	dropped := make(chan bool, 100)
	i.OnDrop = func(outgoing bool, _ []byte) { dropped <- outgoing }
	start := time.Now()
	const size, room = 500, 6 // 10 ms each, and a sixth waits for just 50 ms
	for range 20 {
		i.WriteToUDPAddrPort(make([]byte, size-28), addrOf(real))
		real.WriteToUDPAddrPort(make([]byte, size-28), addrOf(i))
	}
	least := func(c net.PacketConn) {
		t.Helper()
		for k := range room {
			if _, _, err := c.ReadFrom(make([]byte, size)); err != nil || time.Since(start) < time.Duration(k+1)*10*time.Millisecond {
				t.Errorf("%d is there after %v, %v", k, time.Since(start), err)
			}
		}
	}
	least(real)
	i.SetReadDeadline(time.Now().Add(10 * time.Second))
	least(i)
	out, in := i.Stats()
	balance(t, out)
	if out.Sent != 20 || out.TailDropped < 20-room-3 || in.TailDropped < 1 {
		t.Errorf("out %+v, in %+v", out, in)
	}
	if got := uint64(len(dropped)); got != out.TailDropped+in.TailDropped {
		t.Errorf("OnDrop has seen %d; out %+v, in %+v", got, out, in)
	}
}

func ExampleConn_SetIncoming() {
	n := New(1)
	defer n.Close()
	player, err := n.Listen(netip.MustParseAddrPort("192.0.2.7:1000"))
	fmt.Println(err)
	// 512 kbit/s up, 4 Mbit/s down: all that the player sends shares the one, all that comes the other.
	fmt.Println(player.SetImpairment(Impairment{Bandwidth: 512_000, Latency: 20 * time.Millisecond}))
	fmt.Println(player.SetIncoming(Impairment{Bandwidth: 4_000_000, Queue: -time.Second}))
	// Output:
	// <nil>
	// <nil>
	// netsim: bad configuration: Queue -1s: must be 0 to 24h0m0s
}
