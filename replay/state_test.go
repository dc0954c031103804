package replay

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

func mustParse(t testing.TB, state []byte) *Window {
	t.Helper()
	w, rest, err := ParseState(state)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%x: %d bytes left, %v", state, len(rest), err)
	}
	return &w
}

// A window that is written whole and read goes on as if nothing had happened.
func TestStateWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, size := range sizes {
		for _, edge := range edges {
			p := newPair(t, size)
			for range rng.IntN(50) {
				p.take(edge - rng.Uint64N(uint64(size)+10))
			}
			p.take(edge)
			p.fast = mustParse(t, p.fast.AppendTo(nil, size))
			for range 300 {
				p.take(edge - uint64(size)/2 + rng.Uint64N(uint64(size)+10))
			}
		}
	}
}

// "What is older counts as seen": never is a number taken twice, and of the newest not one is lost.
func TestStateNewest(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, size := range sizes {
		for _, newest := range []int{64, 128, size} {
			newest = min(newest, size)
			for _, top := range []uint64{0, 1, 63, 64, 65, 300, 9000, 1 << 32, math.MaxUint64} {
				before := empty(size)
				for range 200 {
					if seq := top - rng.Uint64N(min(top, 400)+1); before.Check(seq) {
						before.Accept(seq)
					}
				}
				after := mustParse(t, before.AppendTo(nil, newest))
				checkNewest(t, before, after, uint64(newest))
			}
		}
	}
}

func checkNewest(t *testing.T, before, after *Window, newest uint64) {
	t.Helper()
	if before.Highest() != after.Highest() {
		t.Fatalf("highest %d, was %d", after.Highest(), before.Highest())
	}
	for back := range min(before.Highest(), before.size+10) + 1 {
		want := back < newest && before.Check(before.Highest()-back)
		if got := after.Check(before.Highest() - back); got != want {
			t.Fatalf("size %d, newest %d, highest %d: Check(highest-%d) = %v, want %v",
				before.size, newest, before.Highest(), back, got, want)
		}
	}
}

// "newest is rounded up to a multiple of 64, and is at least 64 and at most the window's size."
func TestStateLength(t *testing.T) {
	for newest, want := range map[int]int{
		-1: 18, 0: 18, 1: 18, 63: 18, 64: 18, 65: 26, 128: 26, 1023: 138, 1024: 138, 1025: 138, math.MaxInt: 138,
	} {
		if got := len(empty(1024).AppendTo(nil, newest)); got != want {
			t.Errorf("newest %d: %d bytes, want %d", newest, got, want)
		}
	}
}

// A window in which nothing has been seen is not one in which 0 has been.
func TestStateEmpty(t *testing.T) {
	none, zero := Make(64), Make(64)
	zero.Accept(0)
	if w := mustParse(t, none.AppendTo(nil, 64)); !w.Check(0) || w.Highest() != 0 {
		t.Error("an empty window has seen 0")
	}
	if w := mustParse(t, zero.AppendTo(nil, 64)); w.Check(0) {
		t.Error("0 is new again")
	}
}

func TestStateRefused(t *testing.T) {
	w := Make(128)
	w.Accept(5)
	good := w.AppendTo(nil, 64)
	mustParse(t, good)
	for n := range good {
		refused(t, "truncated", good[:n])
	}
	for name, change := range map[string]func([]byte){
		"size 0":                func(b []byte) { b[0] = 0 },
		"size over MaxSize":     func(b []byte) { b[0] = MaxSize/wordBits + 1 },
		"no bits":               func(b []byte) { b[1] = 0 },
		"more bits than window": func(b []byte) { b[1] = 3 },
		"highest not seen":      func(b []byte) { b[17] &^= 1 },
		"seen below 0":          func(b []byte) { b[17] |= 1 << 6 },
	} {
		b := append(bytes.Clone(good), make([]byte, 32)...)
		change(b)
		refused(t, name, b)
	}
	if _, rest, err := ParseState(append(good, 1, 2)); err != nil || !bytes.Equal(rest, []byte{1, 2}) {
		t.Errorf("rest %x, %v", rest, err)
	}
}

func refused(t *testing.T, name string, b []byte) {
	t.Helper()
	if w, rest, err := ParseState(b); !errors.Is(err, ErrState) || !reflect.DeepEqual(w, Window{}) || rest != nil {
		t.Errorf("%s: %v, %x, %v", name, w.Highest(), rest, err)
	}
}

// What parses is a window: written again and read again it is the same.
func FuzzState(f *testing.F) {
	for _, n := range []uint64{0, 1, 63, 64, 5000, math.MaxUint64} {
		w := Make(192)
		w.Accept(n / 2)
		if w.Check(n) {
			w.Accept(n)
		}
		f.Add(w.AppendTo(nil, 64))
		f.Add(w.AppendTo(nil, 192))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, rest, err := ParseState(b)
		if err != nil {
			return
		}
		state := b[:len(b)-len(rest)]
		again := w.AppendTo(nil, int(b[1])*wordBits)
		if !bytes.Equal(again, state) {
			t.Fatalf("%x comes back as %x", state, again)
		}
		if twin := mustParse(t, again); !reflect.DeepEqual(twin, &w) {
			t.Fatalf("%x: %+v and %+v", state, w, twin)
		}
	})
}

func BenchmarkState(b *testing.B) {
	w := Make(0)
	w.Accept(5000)
	var buf []byte
	for b.Loop() {
		buf = w.AppendTo(buf[:0], 256)
		if _, _, err := ParseState(buf); err != nil {
			b.Fatal(err)
		}
	}
}
