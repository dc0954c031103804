package replay

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// slow is the window as its definition reads: every number ever accepted, and a subtraction.
type slow struct {
	size     uint64
	highest  uint64
	accepted map[uint64]bool
}

func newSlow(size int) *slow { return &slow{size: uint64(size), accepted: map[uint64]bool{}} }

func (s *slow) check(seq uint64) bool {
	tooOld := seq <= s.highest && s.highest-seq >= s.size
	return !tooOld && !s.accepted[seq]
}

func (s *slow) accept(seq uint64) {
	s.accepted[seq] = true
	s.highest = max(s.highest, seq)
}

// pair holds a window and its slow twin to each other.
type pair struct {
	t    testing.TB
	fast *Window
	slow *slow
}

func newPair(t testing.TB, size int) pair { return pair{t, empty(size), newSlow(size)} }

func empty(size int) *Window {
	w := Make(size)
	return &w
}

func (p pair) check(seq uint64) bool {
	p.t.Helper()
	got, want := p.fast.Check(seq), p.slow.check(seq)
	if got != want {
		p.t.Fatalf("size %d, highest %d: Check(%d) = %v, want %v", p.slow.size, p.slow.highest, seq, got, want)
	}
	return got
}

func (p pair) take(seq uint64) bool {
	p.t.Helper()
	if !p.check(seq) {
		return false
	}
	p.fast.Accept(seq)
	p.slow.accept(seq)
	if got := p.fast.Highest(); got != p.slow.highest {
		p.t.Fatalf("Highest() = %d after %d, want %d", got, seq, p.slow.highest)
	}
	return true
}

var sizes = []int{64, 128, 192, 960, 1024, 1088, 8128, 8192}

// someSizes are all of them, or the small ones where the test is to be short.
func someSizes() []int {
	if testing.Short() {
		return sizes[:6]
	}
	return sizes
}

// edges are numbers where arithmetic likes to go wrong.
var edges = []uint64{
	0, 1, 63, 64, 65, 1023, 1024, 8192, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1,
	1<<48 - 1, 1 << 48, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 64, math.MaxUint64 - 1, math.MaxUint64,
}

// "A number is new if it is above the window, or inside it and not yet accepted." PROTOCOL.md 4.7
func TestEdges(t *testing.T) {
	for _, size := range sizes {
		for _, edge := range edges {
			p := newPair(t, size)
			p.take(edge)
			for _, offset := range []uint64{0, 1, 2, 63, 64, 65, p.slow.size - 1, p.slow.size, p.slow.size + 1} {
				p.check(edge - offset) // wraps below 0 on purpose: any number may be asked
				p.check(edge + offset)
			}
		}
	}
}

// Every number inside the window is taken once, from the top down and from the bottom up.
func TestWholeWindow(t *testing.T) {
	for _, size := range someSizes() {
		span := uint64(size)
		for _, top := range []uint64{span - 1, span, span + 31, 1<<32 + 5, 1 << 48, 1 << 63, math.MaxUint64} {
			down, up := newPair(t, size), newPair(t, size)
			up.take(top)
			for i := range span {
				if !down.take(top-i) || down.take(top-i) {
					t.Fatalf("size %d: %d is not taken exactly once", size, top-i)
				}
				if oldest := top - (span - 1); i < span-1 && !up.take(oldest+i) {
					t.Fatalf("size %d: %d is not taken", size, oldest+i)
				}
			}
			if top >= span && down.check(top-span) {
				t.Fatalf("size %d: %d is taken below the window", size, top-span)
			}
		}
	}
}

// "The window advances only after authentication." PROTOCOL.md 4.9
func TestCheckChangesNothing(t *testing.T) {
	for _, far := range edges {
		p := newPair(t, 1024)
		for seq := uint64(1); seq <= 2000; seq++ {
			p.take(seq)
		}
		p.check(far)
		if got := p.fast.Highest(); got != 2000 {
			t.Fatalf("Highest() = %d after Check(%d), want 2000", got, far)
		}
		for seq := uint64(900); seq <= 2000; seq++ {
			if p.check(seq) {
				t.Fatalf("%d is new again after Check(%d)", seq, far)
			}
		}
		if !p.take(2001) {
			t.Fatalf("2001 is refused after Check(%d)", far)
		}
	}
}

// A jump of any length leaves nothing behind in the ring.
func TestJumps(t *testing.T) {
	for _, size := range someSizes() {
		span := uint64(size)
		for _, jump := range []uint64{1, 63, 64, 65, span - 1, span, span + 1, 2*span - 1, 2 * span, 3*span + 7, 1 << 40} {
			p := newPair(t, size)
			for seq := range span {
				p.take(seq)
			}
			p.take(span - 1 + jump)
			for back := range 2 * span {
				p.check(span - 1 + jump - back)
			}
		}
	}
}

func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range sizes {
		for _, start := range edges {
			p := newPair(t, size)
			p.take(start)
			for range 2000 {
				p.take(near(rng, p.slow.highest, size))
			}
		}
	}
}

// near returns a number around highest: mostly in the window, sometimes past either end, seldom anywhere.
func near(rng *rand.Rand, highest uint64, size int) uint64 {
	if rng.IntN(500) == 0 {
		return rng.Uint64()
	}
	if rng.IntN(3) == 0 {
		return highest + rng.Uint64N(80)
	}
	return highest - rng.Uint64N(uint64(size)+80)
}

func TestSize(t *testing.T) {
	for _, n := range []int{64, 128, 1024, 8128, 8192} {
		if got, err := Size(n); got != n || err != nil {
			t.Errorf("Size(%d) = %d, %v", n, got, err)
		}
	}
	if got, err := Size(0); got != DefaultSize || err != nil {
		t.Errorf("Size(0) = %d, %v", got, err)
	}
	for _, n := range []int{-64, -1, 1, 63, 65, 1023, 1025, 8191, 8193, 8256} {
		if _, err := Size(n); !errors.Is(err, ErrSize) {
			t.Errorf("Size(%d): error %v, want ErrSize", n, err)
		}
	}
}

func TestMakePanics(t *testing.T) {
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, ErrSize) {
			t.Errorf("Make(100) panicked with %v, want ErrSize", err)
		}
	}()
	Make(100)
}

// "Clone returns a copy that goes on independently."
func TestClone(t *testing.T) {
	for _, size := range sizes {
		w := Make(size)
		w.Accept(10)
		c := w.Clone()
		w.Accept(11)
		c.Accept(9)
		if !w.Check(9) || w.Check(11) || !c.Check(11) || c.Check(9) || w.Check(10) || c.Check(10) {
			t.Errorf("size %d: a window and its copy share numbers", size)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	w := Make(0)
	seq := uint64(0)
	for name, f := range map[string]func(){
		"Check":   func() { w.Check(seq) },
		"Accept":  func() { seq += 100; w.Accept(seq) },
		"Restore": func() { w.Restore(uint32(seq)) },
		"Highest": func() { w.Highest() },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// FuzzWindow reads its input as a size, a start and steps of 16 signed bits, each taken from the highest number.
func FuzzWindow(f *testing.F) {
	f.Add(uint8(0), uint64(0), []byte{0, 1, 0, 2, 0, 2, 255, 255})
	f.Add(uint8(15), uint64(math.MaxUint64), []byte{0, 1, 252, 1, 4, 0, 252, 0})
	f.Add(uint8(127), uint64(1<<32-1), []byte{0, 1, 224, 0, 127, 255, 128, 0})
	f.Fuzz(func(t *testing.T, words uint8, start uint64, steps []byte) {
		p := newPair(t, (int(words)%128+1)*wordBits)
		p.take(start)
		for ; len(steps) >= 2; steps = steps[2:] {
			step := int16(steps[0])<<8 | int16(steps[1])
			seq := p.slow.highest + uint64(int64(step))
			if p.take(seq) && p.check(seq) {
				t.Fatalf("%d is new twice", seq)
			}
		}
	})
}

func BenchmarkWindow(b *testing.B) {
	for _, size := range []int{64, 1024, 8192} {
		b.Run(fmt.Sprintf("size=%d/order=sent", size), func(b *testing.B) {
			benchmark(b, size, func(i uint64) uint64 { return i })
		})
		b.Run(fmt.Sprintf("size=%d/order=swapped", size), func(b *testing.B) {
			benchmark(b, size, func(i uint64) uint64 { return i ^ 1 })
		})
	}
	b.Run("replayed", func(b *testing.B) {
		w := Make(0)
		w.Accept(1)
		for b.Loop() {
			w.Check(1)
		}
	})
}

func benchmark(b *testing.B, size int, order func(uint64) uint64) {
	w := Make(size)
	for i := uint64(0); b.Loop(); i++ {
		if seq := order(i); w.Check(seq) {
			w.Accept(seq)
		}
	}
}
