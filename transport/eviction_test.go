package transport

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/netsim"
)

// fallSilent returns the cookie from an address, and then says nothing more.
func (w *world) fallSilent(addr netip.AddrPort) {
	w.Helper()
	socket := w.socket(addr)
	defer socket.Close() //nolint:errcheck // never fails
	sent := make(chan struct{}, 100)
	c := handshake.NewConn(false, udpAddr(addr), udpAddr(serverAddr), func(b []byte) {
		_, _ = socket.WriteTo(b, udpAddr(serverAddr))
		sent <- struct{}{}
	})
	c.ExpectCookie()
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = dtls.Engine.Client(ctx, c, &handshake.Config{RootCAs: w.authority.Pool(), ServerName: testkit.ServerName})
	}()
	<-sent
	for b, asked := make([]byte, udp.BufferLen), true; asked; { // HelloVerifyRequest, perhaps after RETRY
		n, _, err := socket.ReadFrom(b)
		if err != nil {
			w.Fatal(err)
		}
		asked = retry.IsRetry(b[:n])
		c.Deliver(b[:n])
		<-sent
	}
	cancel()
	_ = c.Close()
	<-done
	c.Wait()
}

// "When the total is reached, a newcomer takes the place of the oldest half-open handshake whose
// sender has proven nothing. If there is none, it takes the place of the longest silent within the
// site (IPv4 /24, IPv6 /48) that holds most of them." PROTOCOL.md 9.1: it does not wait for their time to be over.
func TestSilentHandshakesGiveWay(t *testing.T) {
	t.Parallel()
	const most, latency = 30, 10 * time.Millisecond
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.MaxHandshakes = most })
		w.net.SetImpairment(netsim.Impairment{Latency: latency})
		others := []netip.AddrPort{stranger(200), stranger(400), stranger(600)}
		for _, addr := range others {
			w.fallSilent(addr)
		}
		for i := range defaultMaxUnproven * 5 { // one /24, as many as its budget lets begin at once
			w.fallSilent(stranger(i))
		}
		sh := w.server.first()
		if n := sh.Holdings().HalfOpen; n != most {
			w.Fatalf("%d handshakes are silent, want %d", n, most)
		}
		for _, addr := range others {
			if sh.Handshakes.At(udp.Flow{AddrPort: addr}) == nil {
				w.Errorf("%v is gone, and not one of those who hold most", addr)
			}
		}
		start := time.Now()
		w.dial(1)
		if d := time.Since(start); d != 10*latency {
			w.Errorf("a newcomer is in after %v, want five round trips: it is asked for a proof", d)
		}
	})
}

// from sends a ClientHello from an address of the loopback interface.
func from(t *testing.T, to netip.AddrPort, local net.IP, hello []byte, proves *Server) {
	t.Helper()
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: local}, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Skip("this machine has no addresses on the loopback interface but one: ", err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // it has served
	if proves != nil {
		hello = proves.endpoint.Returned(proves.clock.now(), conn.LocalAddr().(*net.UDPAddr).AddrPort(), hello)
	}
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
}

// begun waits until so many ClientHellos have begun a handshake or been dropped.
func (w *world) begun(datagrams int) Stats {
	w.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		s := w.server.Stats()
		if s.Handshakes.Started+s.Drops["budget"]+s.Handshakes.Retries.Sent >= uint64(datagrams) || time.Since(start) > patience {
			return s
		}
	}
}

// "for the whole server and however many sockets it has" PROTOCOL.md 9.1: the bounds hold exactly on real sockets, eight to
// a port.
func TestTotalsOfShards(t *testing.T) {
	t.Parallel()
	var hello []byte
	virtual(t, func(w *world) {
		w.serve()
		hello = w.firstHello()
	})
	const most = 20
	for _, n := range []int{defaultMaxUnproven - 1, defaultMaxUnproven, defaultMaxUnproven + 1, 100} {
		w := newWorld(t)
		s := w.serve(func(c *Config) { c.Shards, c.Sources.Burst = 8, 1000 })
		w.echo(w.dial(1), "all shards serve")
		before := s.Stats().Handshakes.Started
		for range n {
			from(t, s.Addr(), net.IPv4(127, 0, 9, 1), hello, nil)
		}
		st := w.begun(int(before) + n)
		if got := int(st.Handshakes.Started - before); got != min(n, defaultMaxUnproven) {
			t.Errorf("%d of one /24 at once: %d begun on %d shards", n, got, st.Socket.Shards)
		}
		w.close()
	}
	for _, n := range []int{most - 1, most, most + 1, 100} {
		w := newWorld(t)
		s := w.serve(func(c *Config) { c.Shards, c.MaxHandshakes = 8, most })
		w.echo(w.dial(1), "all shards serve")
		for i := range n {
			from(t, s.Addr(), net.IPv4(127, 1, byte(i), 1), hello, s)
		}
		w.begun(1 + n)
		var sum int64
		for _, sh := range s.endpoint.All() {
			sum += int64(sh.Stats().Underway)
		}
		// Where a shard has had to ask another one, its newcomer has not come again yet.
		if total := s.endpoint.Underway(); sum != total || total > most || n <= most && total != int64(n) || n > most && total < most/2 {
			t.Errorf("%d at once: %d under way, %d by the count, of at most %d", n, sum, total, most)
		}
		w.close()
	}
}

// What comes to several shards is one flood, two records: when it begins and when it is over.
func TestFloodOfAllShards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	s := w.serve(func(c *Config) { c.Shards = 4 })
	w.echo(w.dial(1), "all shards serve")
	for _, refused := range []int{dtls.FloodFrom - 4, 2 * dtls.FloodFrom} { // half of it may be seen a second later
		time.Sleep(2 * dtls.SweepInterval)
		for _, sh := range s.endpoint.All() {
			for range refused / len(s.endpoint.All()) {
				sh.Drop(audit.DropBudget)
			}
		}
	}
	for start := time.Now(); w.audit.count(audit.Flood) < 2 && time.Since(start) < patience; {
		time.Sleep(10 * time.Millisecond)
	}
	if n := w.audit.count(audit.Flood); n != 2 {
		t.Errorf("%d records of one flood", n)
	}
}

// "most at once", of all shards together: who comes again to another shard was not there twice.
func TestPeakOfAllShards(t *testing.T) {
	t.Parallel()
	const players = 8
	w := newWorld(t)
	defer w.close()
	s := w.serve(func(c *Config) { c.Shards, c.Session.MaxSessions = 8, players })
	for round := range 3 {
		for i := range players {
			w.dial(100*round + i)
		}
		for _, c := range w.clients {
			c.Close()
		}
		w.clients = nil
		for start := time.Now(); s.Stats().Sessions > 0 && time.Since(start) < patience; {
			time.Sleep(time.Millisecond)
		}
		if st := s.Stats(); st.Sessions != 0 || st.SessionsPeak != players {
			t.Errorf("round %d: %d sessions, %d at once on %d shards", round, st.Sessions, st.SessionsPeak, st.Socket.Shards)
		}
	}
}

// "One that has not proven its own address, which may be forged, MUST NOT end a handshake before it has had 1 s, or, if its
// address is proven, before nothing has arrived for it for 1.5 s" PROTOCOL.md 9.1: as many players as there are places come in
// at once, and none has to begin anew.
func TestForgeriesEndNoHandshake(t *testing.T) {
	t.Parallel()
	const most = 16
	for _, flood := range []int{30, 300, 3000} {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 100 * time.Millisecond})
			w.serve(func(c *Config) { c.MaxHandshakes = most })
			defer w.besiege(flood, func(i int) netip.AddrPort { return stranger(i * 200) })()
			time.Sleep(2 * time.Second)
			var all sync.WaitGroup
			began := time.Now()
			for i := range most {
				all.Go(func() {
					w.join(i)
					if d := time.Since(began); d >= attemptTime {
						w.Errorf("%d a second: player %d is in after %v", flood, i, d)
					}
				})
			}
			all.Wait()
		})
	}
}
