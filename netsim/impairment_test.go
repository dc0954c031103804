package netsim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// "Shares are probabilities from 0 to 1, drawn independently for each datagram."
func TestShares(t *testing.T) {
	const sent = 50_000
	im := Impairment{Latency: 30 * time.Millisecond, Loss: 0.20, Duplicate: 0.05, Reorder: 0.04, Corrupt: 0.02}
	synctest.Test(t, func(t *testing.T) {
		n := New(7)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(im)
		go func() {
			for i := range uint64(sent) {
				a.WriteToUDPAddrPort(binary.BigEndian.AppendUint64(nil, i<<32|i), bob) // a flipped bit shows
				time.Sleep(time.Millisecond)
			}
		}()
		var got observed
		got.read(t, b, time.Now().Add(sent*time.Millisecond+time.Second))

		s := n.Stats()
		balance(t, s)
		near(t, "lost", s.Lost, sent*im.Loss)
		arrived := sent * (1 - im.Loss)
		near(t, "duplicated", s.Duplicated, arrived*im.Duplicate)
		near(t, "reordered", s.Reordered, arrived*im.Reorder)
		near(t, "corrupted", s.Corrupted, arrived*im.Corrupt)
		near(t, "seen late", got.late, arrived*im.Reorder)
		near(t, "seen twice", got.twice, arrived*im.Duplicate)
		near(t, "seen corrupt", got.corrupt, arrived*im.Corrupt*(1+im.Duplicate))
		if got.total != s.Delivered {
			t.Errorf("read %d, delivered %d", got.total, s.Delivered)
		}
	})
}

// observed is what a reader can see of an impairment.
type observed struct{ total, late, twice, corrupt uint64 }

func (o *observed) read(t *testing.T, c *Conn, until time.Time) {
	t.Helper()
	c.SetReadDeadline(until)
	seen := make(map[uint64]bool)
	newest, b := uint64(0), make([]byte, 8)
	for {
		_, _, err := c.ReadFromUDPAddrPort(b)
		if err != nil && time.Now().Equal(until) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		o.total++
		v := binary.BigEndian.Uint64(b) >> 32
		switch {
		case v != binary.BigEndian.Uint64(b)&0xffffffff:
			o.corrupt++
			continue
		case seen[v]:
			o.twice++
		case v < newest:
			o.late++
		}
		seen[v], newest = true, max(newest, v)
	}
}

// near allows five standard deviations of a Poisson count.
func near(t *testing.T, what string, got uint64, want float64) {
	t.Helper()
	if d := float64(got) - want; d*d > 25*want {
		t.Errorf("%s: %d, want about %.0f", what, got, want)
	}
}

// "The same seed and the same writes give the same deliveries."
func TestSameSeedSameDeliveries(t *testing.T) {
	first, again, other := transcript(t, 3), transcript(t, 3), transcript(t, 4)
	if !slices.Equal(first, again) {
		t.Error("two runs with one seed differ")
	}
	if slices.Equal(first, other) {
		t.Error("two seeds give the same run")
	}
}

// transcript is what bob receives, and when, from two senders that write at the same instants.
func transcript(t *testing.T, seed uint64) (lines []string) {
	synctest.Test(t, func(t *testing.T) {
		n := New(seed)
		defer n.Close()
		a, b, c := listen(t, n, alice), listen(t, n, bob), listen(t, n, carol)
		n.SetImpairment(Impairment{
			Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond,
			Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1,
		})
		c.SetImpairment(Impairment{Latency: 20 * time.Millisecond, Reorder: 0.1}) // due together with others of its own
		a.SetImpairment(Impairment{Latency: 20 * time.Millisecond, Loss: 0.1, Corrupt: 0.1})
		for _, from := range []*Conn{a, c} {
			go func() {
				for i := range 1000 {
					write(t, from, bob, fmt.Sprint("datagram ", i))
					time.Sleep(time.Millisecond)
				}
			}()
		}
		start, buf := time.Now(), make([]byte, 100)
		b.SetReadDeadline(start.Add(2 * time.Second))
		for {
			k, from, err := b.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			lines = append(lines, fmt.Sprintf("%v %v %q", time.Since(start), from, buf[:k]))
		}
	})
	return lines
}

// "Every datagram draws the same number of times: a higher share of losses does not change which ones are duplicated."
func TestSharesDoNotShiftEachOther(t *testing.T) {
	const sent = 1000
	copies := func(loss float64) (twice [sent]int) {
		n := New(9)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(Impairment{Loss: loss, Duplicate: 0.3})
		buf := make([]byte, 2)
		for i := range sent {
			write(t, a, bob, string(binary.BigEndian.AppendUint16(nil, uint16(i))))
			for queued(b) > 0 {
				b.ReadFromUDPAddrPort(buf)
				twice[binary.BigEndian.Uint16(buf)]++
			}
		}
		return twice
	}
	without, with := copies(0), copies(0.5)
	for i := range sent {
		if with[i] != 0 && with[i] != without[i] {
			t.Fatalf("datagram %d arrives %d times with loss, %d without", i, with[i], without[i])
		}
	}
}

// "Jitter: most that is added to Latency, drawn evenly; it never reorders a link."
func TestJitterKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(2)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		n.SetImpairment(Impairment{Latency: 10 * time.Millisecond, Jitter: 50 * time.Millisecond})
		start := time.Now()
		for i := range 100 {
			write(t, a, bob, fmt.Sprint(i))
		}
		for i := range 100 {
			expect(t, b, alice, fmt.Sprint(i))
		}
		if d := time.Since(start); d < 50*time.Millisecond || d > 60*time.Millisecond {
			t.Errorf("last of 100 after %v, want just under 60ms", d)
		}
	})
}

// "Reorder: share that the next datagram of the link overtakes, or that is 100 ms late if none comes."
func TestReorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(2)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		hold, pass := Impairment{Latency: 5 * time.Millisecond, Reorder: 1}, Impairment{Latency: 5 * time.Millisecond}

		a.SetImpairment(hold)
		write(t, a, bob, "1")
		write(t, a, bob, "2")
		a.SetImpairment(pass)
		write(t, a, bob, "3")
		write(t, a, bob, "4")
		for _, s := range []string{"3", "1", "2", "4"} {
			expect(t, b, alice, s)
		}

		start := time.Now()
		a.SetImpairment(hold)
		write(t, a, bob, "alone")
		expect(t, b, alice, "alone")
		if d := time.Since(start); d != 105*time.Millisecond {
			t.Errorf("a lone datagram is %v late, want 105ms", d)
		}
	})
}

// "Corrupt: share that arrives with one bit flipped."
func TestCorrupt(t *testing.T) {
	n := New(2)
	defer n.Close()
	a, b := listen(t, n, alice), listen(t, n, bob)
	n.SetImpairment(Impairment{Corrupt: 1})
	sent := []byte("0123456789")
	got := make([]byte, 20)
	for range 100 {
		a.WriteToUDPAddrPort(sent, bob)
		k, _, _ := b.ReadFromUDPAddrPort(got)
		bits := 0
		for i := range k {
			for x := got[i] ^ sent[i]; x != 0; x &= x - 1 {
				bits++
			}
		}
		if k != len(sent) || bits != 1 {
			t.Fatalf("%d bytes with %d bits flipped", k, bits)
		}
	}
	if string(sent) != "0123456789" {
		t.Error("the sender's buffer has changed")
	}
	write(t, a, bob, "") // has no bit
	expect(t, b, alice, "")
}

// "Late: how late that share is instead, whoever overtakes it"
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(2)
		defer n.Close()
		a, b := listen(t, n, alice), listen(t, n, bob)
		late, pass := Impairment{Latency: 5 * time.Millisecond, Reorder: 1, Late: 20 * time.Millisecond}, Impairment{Latency: 5 * time.Millisecond}

		start := time.Now()
		a.SetImpairment(late)
		write(t, a, bob, "1")
		a.SetImpairment(pass)
		write(t, a, bob, "2")
		time.Sleep(10 * time.Millisecond)
		write(t, a, bob, "3")
		for _, s := range []string{"2", "3", "1"} {
			expect(t, b, alice, s)
		}
		if d := time.Since(start); d != 25*time.Millisecond {
			t.Errorf("what is late has taken %v, want 25ms", d)
		}
	})
}
