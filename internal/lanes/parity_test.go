package lanes

import (
	"bytes"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// The parity frames are what the formula says, computed by hand.
//
// "is the sum over all fragments j of fragment j, divided by (k + i) XOR j, byte by byte in
// GF(2^8) modulo 0x11d, where sums are XOR; the last fragment counts as if zeros followed, up to s
// bytes" PROTOCOL.md 16.4
func TestParityFormula(t *testing.T) {
	for _, n := range []int{1089, 6144, wire.MaxParityFragments * wire.MaxFragment} {
		for count := 1; count <= wire.MaxParity; count++ {
			m := msg(0, uint64(n), n)
			p := NewPayload(m)
			k, size := wire.Fragments(n), wire.FragmentSize(n)
			padded := append(bytes.Clone(m), make([]byte, k*size-n)...)
			for i := range count {
				got := p.parityFrame(count, i)
				for _, at := range []int{0, 1, 500, size - 1} {
					want := byte(0)
					for j := range k {
						want ^= divide(padded[j*size+at], byte(k+i)^byte(j))
					}
					if got[at] != want {
						t.Fatalf("%d bytes, frame %d of %d, byte %d: %#x, want %#x", n, i, count, at, got[at], want)
					}
				}
			}
			p.Release()
		}
	}
}

// divide divides in GF(2^8) modulo 0x11d, by trial.
func divide(a, b byte) byte {
	for q := range 256 {
		if times(byte(q), b) == a {
			return byte(q)
		}
	}
	panic("division by zero")
}

func times(a, b byte) (product byte) {
	x := uint16(a)
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			product ^= byte(x)
		}
		if x <<= 1; x > 255 {
			x ^= 0x11d
		}
	}
	return product
}

// A message is whole with any of its parts that are as many as its fragments, in any order.
//
// "A receiver MUST deliver a message when it has any k different ones of its fragments and parity
// frames." PROTOCOL.md 16.4
func TestParityRestores(t *testing.T) {
	const n = 3*wire.MaxFragment + 77
	m := msg(0, 3, n)
	var frames []wire.Frame
	for i := range 4 {
		frames = append(frames, wire.Frame{
			Type: wire.FrameFragment, ID: 1, Index: uint16(i), Total: n,
			Data: m[i*wire.FragmentSize(n):][:wire.FragmentLen(n, i)],
		})
	}
	p := NewPayload(m)
	for i := range 2 {
		frames = append(frames, wire.Frame{Type: wire.FrameParity, ID: 1, Index: uint16(i), Total: n, Data: p.parityFrame(2, i)})
	}
	for a := range 6 {
		for b := range a {
			l := newLab(t, Lane{Mode: Unreliable, MaxMessage: 8000, Parity: 2})
			for i := range 6 {
				if i = (i + a) % 6; i == a || i == b {
					continue
				}
				if o := l.frame(frames[i]); o != Accepted {
					t.Fatal(o)
				}
			}
			if len(l.messages) != 1 || l.messages[0] != string(m) || l.partial != 0 {
				t.Fatalf("without %d and %d: %d messages", a, b, len(l.messages))
			}
			// What comes after it repeats what took effect.
			if o := l.frame(frames[a]); o != Accepted || len(l.messages) != 1 {
				t.Fatalf("%v, %d messages", o, len(l.messages))
			}
		}
	}
	l := newLab(t, Lane{Mode: Unreliable, MaxMessage: 8000, Parity: 1})
	if o := l.frame(frames[5]); o != Malformed {
		t.Errorf("a parity frame beyond the lane's: %v", o)
	}
}

// A part that had been counted as lost and comes late lets another one be lost: the message goes on.
func TestParityAfterALatePart(t *testing.T) {
	l := newLab(t, Lane{Mode: Unreliable, MaxMessage: 20_000, Parity: 1, Receipts: true})
	if _, err := l.Send(l.now, 0, make([]byte, 20_000), l); err != nil {
		t.Fatal(err)
	}
	l.flush()
	l.ack(4)
	if n, _ := l.Lost(); n != 1 {
		t.Fatalf("%d lost", n)
	}
	l.ack(1) // late
	l.ack(2, 3, 6, 7, 8, 9, 10, 11)
	if n, _ := l.Lost(); n != 1 { // the fifth
		t.Fatalf("%d lost", n)
	}
	for range 10 {
		l.later(100 * time.Millisecond)
		for _, out := range l.flush() {
			l.ack(out.seq)
		}
	}
	if !l.receipts[1] {
		t.Errorf("receipts %v", l.receipts)
	}
}

// A snapshot of 6,144 bytes at 30 Hz over 5 % loss: how many come whole, and what it costs.
func TestReachSnapshot(t *testing.T) {
	seconds := 120
	if testing.Short() {
		seconds = 30
	}
	end := time.Duration(seconds) * time.Second
	plain := 0.0
	for _, c := range []struct {
		parity      int
		whole, more float64
	}{{0, 0.70, 0}, {1, 0.95, 0.17}, {2, 0.99, 0.34}} {
		w := newWorld(t, 11)
		p := path{latency: 50 * time.Millisecond, loss: 0.05}
		a, b := w.pair(table(t, Lane{Mode: Sequenced, MaxMessage: 6144, Parity: c.parity, Receipts: true}), p, p)
		sent, came, known := 0, 0, 0
		m := msg(0, 1, 6144)
		a.tick(time.Second/30, end, func() {
			sent++
			if _, err := a.Send(w.now, 0, m, a); err != nil {
				t.Fatal(err)
			}
		})
		a.receipt = func(_ int, _ uint64, arrived bool) {
			if arrived {
				known++
			}
		}
		b.tick(time.Second/60, end, func() {})
		b.message = func(_ int, _ uint64, got []byte) {
			if came++; !bytes.Equal(got, m) {
				t.Fatal("another message came")
			}
		}
		w.run(end + time.Second)
		share := float64(came) / float64(sent)
		each := float64(a.out.bytes) / float64(sent)
		if c.parity == 0 {
			plain = each
		}
		t.Logf("parity %d: %.2f %% whole, %.2f %% known to be, %.1f %% more bytes", c.parity, 100*share, 100*float64(known)/float64(sent), 100*(each/plain-1))
		if share < c.whole || each > plain*(1+c.more) || known > came {
			t.Errorf("want %.0f %% with %.0f %% more", 100*c.whole, 100*c.more)
		}
	}
}
