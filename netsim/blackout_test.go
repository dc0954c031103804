package netsim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// both are a socket without and one with an impairment that shows nowhere: a blackout is the same for them.
func both(t *testing.T, f func(t *testing.T, im Impairment)) {
	t.Run("transparent", func(t *testing.T) { f(t, Impairment{}) })
	t.Run("impaired", func(t *testing.T) { f(t, Impairment{Latency: time.Microsecond}) })
}

// "As long as it lasts everything is lost that is written, and everything that the socket receives." and "OnDrop is
// called for each datagram that ... a blackout ... takes."
func TestBlackout(t *testing.T) {
	both(t, func(t *testing.T, im Impairment) {
		real := loopback(t)
		i := impair(t, loopback(t), im, 1)
		defer i.Close()
		dropped := make(chan string, 10)
		i.OnDrop = func(outgoing bool, b []byte) { dropped <- fmt.Sprint(outgoing, " ", string(b)) }
		next := reader(i)

		i.Blackout(true)
		if n, err := i.WriteTo([]byte("out"), real.LocalAddr()); n != 3 || err != nil {
			t.Errorf("written %d, %v; a network does not tell", n, err)
		}
		i.WriteToUDPAddrPort([]byte("out too"), addrOf(real))
		real.WriteTo([]byte("in"), i.LocalAddr())
		got := []string{<-dropped, <-dropped, <-dropped}
		slices.Sort(got)
		if want := []string{"false in", "true out", "true out too"}; !slices.Equal(got, want) {
			t.Errorf("dropped %q, want %q", got, want)
		}

		i.Blackout(false)
		i.WriteTo([]byte("out again"), real.LocalAddr())
		b := make([]byte, 20)
		if n, _, err := real.ReadFrom(b); err != nil || string(b[:n]) != "out again" {
			t.Errorf("after a blackout %q has come, %v", b[:n], err)
		}
		real.WriteTo([]byte("in again"), i.LocalAddr())
		if s := <-next; s != "in again" {
			t.Errorf("read %q, want what came after the blackout", s)
		}
		out, in := i.Stats()
		balance(t, out)
		balance(t, in)
		if out.Lost != 2 || in.Lost != 1 || len(dropped) != 0 {
			t.Errorf("out %+v, in %+v, %d more dropped", out, in, len(dropped))
		}
	})
}

// reader is what c receives first, from now on.
func reader(c net.PacketConn) <-chan string {
	next := make(chan string, 1)
	go func() {
		b := make([]byte, 20)
		n, _, err := c.ReadFrom(b)
		if err != nil {
			next <- err.Error()
		} else {
			next <- string(b[:n])
		}
	}()
	return next
}

// "Reads wait as if nothing came": until their deadline, or until the socket is closed.
func TestBlackoutReads(t *testing.T) {
	both(t, func(t *testing.T, im Impairment) {
		real := loopback(t)
		i := impair(t, loopback(t), im, 1)
		i.Blackout(true)
		for range 3 {
			real.WriteTo([]byte("in"), i.LocalAddr())
		}
		i.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, _, err := i.ReadFromUDPAddrPort(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v, want the deadline", err)
		}
		i.SetReadDeadline(time.Time{})
		next := reader(i)
		real.WriteTo([]byte("in"), i.LocalAddr())
		i.Close()
		if s := <-next; s == "in" {
			t.Error("read what a blackout takes")
		}
	})
}

// "What was in flight before still arrives."
func TestBlackoutSparesWhatFlies(t *testing.T) {
	real := loopback(t)
	i := impair(t, loopback(t), Impairment{Latency: 20 * time.Millisecond}, 1)
	defer i.Close()
	i.WriteTo([]byte("before"), real.LocalAddr())
	i.Blackout(true)
	i.WriteTo([]byte("within"), real.LocalAddr())
	i.Blackout(false)
	i.WriteTo([]byte("after"), real.LocalAddr())
	b := make([]byte, 10)
	for _, want := range []string{"before", "after"} {
		if n, _, err := real.ReadFrom(b); err != nil || string(b[:n]) != want {
			t.Errorf("%q has come, %v; want %q", b[:n], err, want)
		}
	}
}

// "What happens to the n-th datagram of a link depends on the seed, the impairment and n": those that a blackout takes
// count, and no later one is lost in their place.
func TestBlackoutDoesNotShiftLosses(t *testing.T) {
	const sent, from, to = 200, 50, 100
	lost := func(blackout bool) (numbers []int) {
		i := impair(t, loopback(t), Impairment{Loss: 0.2}, 3)
		defer i.Close()
		k := 0
		i.OnDrop = func(bool, []byte) {
			if k < from || k >= to {
				numbers = append(numbers, k)
			}
		}
		for ; k < sent; k++ {
			i.Blackout(blackout && k >= from && k < to)
			i.WriteTo([]byte("x"), i.LocalAddr())
		}
		return numbers
	}
	if without, with := lost(false), lost(true); !slices.Equal(without, with) {
		t.Errorf("without a blackout %v are lost, with one %v", without, with)
	}
}
