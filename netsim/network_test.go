package netsim

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

var (
	alice = netip.MustParseAddrPort("192.0.2.1:1000")
	bob   = netip.MustParseAddrPort("[2001:db8::2]:2000")
	carol = netip.MustParseAddrPort("198.51.100.3:3000")
)

func listen(t *testing.T, n *Network, addr netip.AddrPort) *Conn {
	t.Helper()
	c, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *Conn, to netip.AddrPort, s string) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(s), to); err != nil {
		t.Fatal(err)
	}
}

// expect reads one datagram and fails unless it is s from from, at most a virtual minute from now.
func expect(t *testing.T, c *Conn, from netip.AddrPort, s string) {
	t.Helper()
	b := make([]byte, 100)
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, got, err := c.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != s || got != from {
		t.Fatalf("read %q from %v, %v; want %q from %v", b[:n], got, err, s, from)
	}
}

// balance fails unless the counts add up as Stats says.
func balance(t *testing.T, s Stats) {
	t.Helper()
	if in, out := s.Sent+s.Duplicated, s.Delivered+s.Refused+s.Lost+s.TailDropped+s.Unreachable+s.Overflowed; in != out {
		t.Errorf("%d in, %d out: %+v", in, out, s)
	}
}

// "Latency: one way."
func TestLatencyIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(Impairment{Latency: 40 * time.Millisecond})
		b.SetImpairment(Impairment{Latency: 15 * time.Millisecond})

		start := time.Now()
		write(t, a, bob, "there")
		expect(t, b, alice, "there")
		if d := time.Since(start); d != 40*time.Millisecond {
			t.Errorf("there after %v, want 40ms", d)
		}
		write(t, b, alice, "back")
		expect(t, a, bob, "back")
		if d := time.Since(start); d != 55*time.Millisecond {
			t.Errorf("back after %v, want 55ms", d)
		}
	})
}

// "Tap sees a datagram when it is written, before the impairment; false drops it." and "it may Inject".
func TestTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(Impairment{Latency: time.Second})
		n.Tap(func(from, to netip.AddrPort, p []byte) bool {
			if from != alice || to != bob {
				t.Errorf("tapped %v to %v", from, to)
			}
			n.Inject(carol, to, p) // a copy that is ahead of the original
			p[0] = 'X'
			return string(p[1:]) != "drop"
		})
		sent := []byte("1pass")
		a.WriteToUDPAddrPort(sent, bob)
		write(t, a, bob, "2drop")
		expect(t, b, carol, "1pass")
		expect(t, b, carol, "2drop")
		expect(t, b, alice, "Xpass")
		if string(sent) != "1pass" {
			t.Error("the tap has changed the sender's buffer")
		}
		n.Tap(nil)
		write(t, a, bob, "2drop")
		expect(t, b, alice, "2drop")
		if s := n.Stats(); s.Refused != 1 || s.Sent != 5 {
			t.Errorf("stats %+v", s)
		}
		balance(t, n.Stats())
	})
}

// "Once nothing is in flight" the counts add up, whatever closes when.
func TestCloseReleasesEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine of the bubble stays
		n := New(1)
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(Impairment{Latency: time.Hour, Jitter: time.Hour})
		for range 1000 {
			write(t, a, bob, "in flight")
		}
		if got := runtime.NumGoroutine(); got > before+3 {
			t.Errorf("%d goroutines for 1000 datagrams in flight", got-before)
		}
		ended := make(chan error)
		go func() {
			_, _, err := b.ReadFrom(make([]byte, 10))
			ended <- err
		}()
		synctest.Wait()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("waiting read: %v", err)
		}
		if _, err := a.WriteToUDPAddrPort(nil, bob); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if _, err := n.Listen(alice); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listen: %v", err)
		}
		n.Inject(alice, bob, nil)
		n.Close()
		balance(t, n.Stats())
		n.line.mu.Lock()
		defer n.line.mu.Unlock()
		if n.line.flight.Len() != 0 || n.line.timer.Stop() {
			t.Error("a datagram or a timer is left")
		}
	})
}
