package netsim

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

func loopback(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c
}

func impair(t *testing.T, pc net.PacketConn, im Impairment, seed uint64) *Impaired {
	t.Helper()
	i, err := Impair(pc, im, seed)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func addrOf(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// "With a zero im every call goes straight to pc."
func TestImpairNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	real := loopback(t)
	i := impair(t, loopback(t), Impairment{}, 1)
	real.WriteToUDPAddrPort([]byte("in"), addrOf(i))
	b := make([]byte, 10)
	n, from, err := i.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != "in" || from != addrOf(real) {
		t.Fatalf("read %q from %v, %v", b[:n], from, err)
	}
	i.WriteTo([]byte("out"), real.LocalAddr())
	n, from, err = real.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != "out" || from != addrOf(i) {
		t.Fatalf("read %q from %v, %v", b[:n], from, err)
	}
	settles(t, before)
	i.SetDeadline(time.Now())
	if _, _, err := i.ReadFrom(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	i.Close()
	if _, _, err := i.ReadFrom(b); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// "Each direction is one link, whatever the peer's address, so that ephemeral ports do not change the outcome for a
// seed." and "OnDrop is called for each datagram that Loss ... takes."
func TestImpairIsSeeded(t *testing.T) {
	first, again, other := survivors(t, 5), survivors(t, 5), survivors(t, 6)
	if !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Errorf("seed 5 %q, again %q; seed 6 %q", first, again, other)
	}
}

// survivors sends 200 datagrams in each direction and returns those that arrive, each checked against OnDrop.
func survivors(t *testing.T, seed uint64) (got []string) {
	real := loopback(t)
	i := impair(t, loopback(t), Impairment{Latency: time.Millisecond, Loss: 0.2}, seed)
	defer i.Close()
	dropped := make(map[string]int)
	i.OnDrop = func(outgoing bool, b []byte) { dropped[fmt.Sprint(outgoing, " ", string(b))]++ }

	for k := range 200 {
		i.WriteTo(fmt.Append(nil, k), real.LocalAddr())
		real.WriteTo(fmt.Append(nil, k), i.LocalAddr())
	}
	read := func(outgoing bool, c net.PacketConn, stats func() Stats) {
		b := make([]byte, 10)
		for arrived := uint64(0); ; {
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if n, _, err := c.ReadFrom(b); err == nil {
				arrived++
				got = append(got, fmt.Sprint(outgoing, " ", string(b[:n])))
			} else if s := stats(); arrived == s.Delivered && s.Delivered+s.Lost == 200 {
				return
			}
		}
	}
	read(true, real, func() Stats { out, _ := i.Stats(); return out })
	read(false, i, func() Stats { _, in := i.Stats(); return in })
	out, in := i.Stats()
	if len(got)+len(dropped) != 400 || int(out.Lost+in.Lost) != len(dropped) {
		t.Errorf("%d arrived, %d dropped, out %+v, in %+v", len(got), len(dropped), out, in)
	}
	for _, s := range got {
		if dropped[s] != 0 {
			t.Errorf("%q arrived and was dropped", s)
		}
	}
	slices.Sort(got)
	return got
}

// hiding is a net.PacketConn without the AddrPort methods.
type hiding struct{ net.PacketConn }

func TestImpairDelaysBothWays(t *testing.T) {
	real := loopback(t)
	i := impair(t, hiding{loopback(t)}, Impairment{Latency: 20 * time.Millisecond}, 1)
	defer i.Close()
	start, b := time.Now(), make([]byte, 10)
	i.WriteTo([]byte("ping"), real.LocalAddr())
	n, from, err := real.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != "ping" {
		t.Fatal(string(b[:n]), err)
	}
	real.WriteToUDPAddrPort([]byte("pong"), from)
	n, addr, err := i.ReadFrom(b)
	if err != nil || string(b[:n]) != "pong" || addr.String() != real.LocalAddr().String() {
		t.Fatal(string(b[:n]), addr, err)
	}
	if d := time.Since(start); d < 40*time.Millisecond {
		t.Errorf("there and back in %v", d)
	}
	if _, err := i.WriteTo(nil, &net.TCPAddr{}); err == nil {
		t.Error("sent to a TCP address")
	}
}

// "discards what is in flight": also what waits to be overtaken by a datagram that then comes too late.
func TestCloseWhileHeld(t *testing.T) {
	i := impair(t, loopback(t), Impairment{Loss: 0.1, Reorder: 0.9}, 1)
	for range 20 {
		i.WriteTo([]byte("x"), i.LocalAddr())
	}
	i.Close()
	for range 100 {
		i.carryOut(i.impair, &datagram{data: []byte("late")})
	}
	out, _ := i.Stats()
	balance(t, out)
}

// "When it returns, no goroutine and no timer is left."
func TestImpairedClose(t *testing.T) {
	before := runtime.NumGoroutine()
	i := impair(t, loopback(t), Impairment{Latency: time.Hour}, 1)
	ended := make(chan error)
	go func() {
		_, _, err := i.ReadFromUDPAddrPort(make([]byte, 1))
		ended <- err
	}()
	for k := range 100 {
		i.WriteTo([]byte{byte(k)}, i.LocalAddr())
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("waiting read: %v", err)
	}
	if _, err := i.WriteTo(nil, i.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if err := i.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("deadline: %v", err)
	}
	if out, _ := i.Stats(); out.Unreachable != 100 {
		t.Errorf("stats %+v", out)
	}
	settles(t, before)
}

// settles waits until no more goroutines run than before: what has been waited for, and what the process itself has at
// times, may need a moment to be gone.
func settles(t *testing.T, before int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
