package netsim

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// "Listen opens a socket on a concrete address; port 0 takes the lowest free port from 49,152."
func TestListenAddresses(t *testing.T) {
	n := New(1)
	defer n.Close()
	listen(t, n, alice)
	for _, addr := range []netip.AddrPort{{}, alice, netip.MustParseAddrPort("0.0.0.0:1"), netip.MustParseAddrPort("[::]:1")} {
		if _, err := n.Listen(addr); !errors.Is(err, ErrAddress) {
			t.Errorf("Listen(%v): %v", addr, err)
		}
	}
	for port := uint16(49152); port < 49155; port++ {
		c := listen(t, n, netip.AddrPortFrom(alice.Addr(), 0))
		if got := c.LocalAddr().(*net.UDPAddr).Port; got != int(port) {
			t.Errorf("port %d, want %d", got, port)
		}
	}
}

// An IPv4 address is the same socket in both of its spellings, as on a real host.
func TestMappedAddress(t *testing.T) {
	n := New(1)
	defer n.Close()
	a, c := listen(t, n, alice), listen(t, n, carol)
	if _, err := a.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(198, 51, 100, 3), Port: 3000}); err != nil {
		t.Fatal(err)
	}
	expect(t, c, alice, "x")
	write(t, a, netip.MustParseAddrPort("[::ffff:198.51.100.3]:3000"), "y")
	expect(t, c, alice, "y")
}

// "What is in flight to the old one is lost; what was received stays readable."
func TestRebind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(Impairment{Latency: time.Second})
		write(t, b, alice, "received")
		time.Sleep(2 * time.Second)
		write(t, b, alice, "in flight")
		if err := a.Rebind(carol); err != nil {
			t.Fatal(err)
		}
		write(t, a, bob, "from elsewhere")
		write(t, b, carol, "to elsewhere")
		expect(t, b, carol, "from elsewhere")
		expect(t, a, bob, "received")
		expect(t, a, bob, "to elsewhere")
		if s := n.Stats(); s.Unreachable != 1 {
			t.Errorf("stats %+v", s)
		}
		if err := a.Rebind(bob); !errors.Is(err, ErrAddress) {
			t.Errorf("Rebind to a taken address: %v", err)
		}
		listen(t, n, alice) // free again
	})
}

// "SetReadDeadline ends waiting and later reads with os.ErrDeadlineExceeded at t; the zero time removes it."
func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a := listen(t, n, alice)
		start := time.Now()
		read := func(want time.Duration) {
			t.Helper()
			_, _, err := a.ReadFrom(make([]byte, 1))
			var timeout net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatalf("read: %v", err)
			}
			if d := time.Since(start); d != want {
				t.Errorf("read ended at %v, want %v", d, want)
			}
		}
		a.SetReadDeadline(start.Add(time.Second))
		read(time.Second)
		write(t, a, alice, "data do not help")
		read(time.Second)

		a.SetReadDeadline(time.Time{})
		a.ReadFrom(make([]byte, 1))
		go func() {
			time.Sleep(time.Second) // at 2 s, while the read below waits
			a.SetDeadline(start.Add(3 * time.Second))
		}()
		read(3 * time.Second)
	})
}

func queued(c *Conn) int {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return len(c.in.queue)
}

// "Its receive queue holds 4,096 datagrams."
func TestQueueIsBounded(t *testing.T) {
	for _, sent := range []int{maxQueue - 1, maxQueue, maxQueue + 1} {
		n := New(1)
		a, b := listen(t, n, alice), listen(t, n, bob)
		for range sent {
			write(t, a, bob, "x")
		}
		s := n.Stats()
		if got, want := queued(b), min(sent, maxQueue); got != want || s.Overflowed != uint64(sent-want) {
			t.Errorf("%d sent: %d queued, %d overflowed", sent, got, s.Overflowed)
		}
		balance(t, s)
		n.Close()
		if queued(b) != 0 {
			t.Error("Close keeps the queue")
		}
	}
}

func TestPayloadBounds(t *testing.T) {
	n := New(1)
	defer n.Close()
	a, b := listen(t, n, alice), listen(t, n, bob)
	if _, err := a.WriteToUDPAddrPort(make([]byte, maxPayload), bob); err != nil {
		t.Error(err)
	}
	if _, err := a.WriteToUDPAddrPort(make([]byte, maxPayload+1), bob); err == nil {
		t.Error("65,508 bytes were sent")
	}
	if k, _, err := b.ReadFrom(make([]byte, 10)); k != 10 || err != nil {
		t.Errorf("read %d, %v; want what fits", k, err)
	}
	if _, err := a.WriteToUDPAddrPort(nil, netip.AddrPort{}); err == nil {
		t.Error("sent to no address")
	}
	if _, err := a.WriteTo(nil, &net.TCPAddr{}); err == nil {
		t.Error("sent to a TCP address")
	}
}

// "Close frees the address and ends reads with net.ErrClosed. What it has sent still arrives."
func TestConnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		n.SetImpairment(Impairment{Latency: time.Second})
		a, b := listen(t, n, alice), listen(t, n, bob)
		write(t, a, bob, "last words")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"Close": a.Close(), "Rebind": a.Rebind(carol), "SetDeadline": a.SetDeadline(time.Now()),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		expect(t, b, alice, "last words")
		listen(t, n, alice)
	})
}

func TestConcurrentUse(t *testing.T) {
	n := New(1)
	n.SetImpairment(Impairment{Latency: 100 * time.Microsecond, Jitter: time.Millisecond, Loss: 0.1, Reorder: 0.1})
	a, b := listen(t, n, alice), listen(t, n, bob)
	var writers, readers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 200 {
				write(t, a, bob, "x")
				n.Inject(carol, bob, []byte("y"))
				b.SetImpairment(Impairment{})
				n.Stats()
			}
		})
		readers.Go(func() {
			for {
				if _, _, err := b.ReadFrom(make([]byte, 10)); err != nil {
					return
				}
			}
		})
	}
	writers.Wait()
	n.Close()
	readers.Wait()
	balance(t, n.Stats())
}
