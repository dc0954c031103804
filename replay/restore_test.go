package replay

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// slowRestore tries the neighbours in numbers without an end, and keeps the nearest that exists.
func slowRestore(highest uint64, low uint32) uint64 {
	expected := new(big.Int).Add(new(big.Int).SetUint64(highest), big.NewInt(1))
	upper := new(big.Int).Rsh(expected, 32)
	var best, distance *big.Int
	for _, step := range []int64{1, 0, -1} { // from the higher: of two equally near the first stays
		n := new(big.Int).Add(upper, big.NewInt(step))
		n.Lsh(n, 32).Add(n, new(big.Int).SetUint64(uint64(low)))
		d := new(big.Int).Sub(n, expected)
		if n.IsUint64() && (best == nil || d.CmpAbs(distance) < 0) {
			best, distance = n, d
		}
	}
	return best.Uint64()
}

func checkRestore(t testing.TB, highest uint64, low uint32) {
	t.Helper()
	w := Window{highest: highest}
	if got, want := w.Restore(low), slowRestore(highest, low); got != want {
		t.Errorf("highest %#x: Restore(%#x) = %#x, want %#x", highest, low, got, want)
	}
}

// "The receiver MUST take the number nearest to the one it expects next." PROTOCOL.md 7.2
func TestRestoreEdges(t *testing.T) {
	for _, edge := range edges {
		for _, shift := range []uint64{0, 1, 2, half - 1, half, half + 1} {
			for _, highest := range []uint64{edge, edge + shift, edge - shift} {
				for _, low := range []uint32{0, 1, 2, half - 2, half - 1, half, half + 1, half + 2, math.MaxUint32} {
					checkRestore(t, highest, low)
					checkRestore(t, highest, uint32(highest)+low)
				}
			}
		}
	}
}

func TestRestoreRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		checkRestore(t, rng.Uint64()>>rng.IntN(64), rng.Uint32())
	}
}

// What was sent comes back whole if it lies up to 2^31 ahead of what is expected, or less than that behind.
func TestRestoreRoundTrip(t *testing.T) {
	for _, highest := range edges {
		w := Window{highest: highest}
		for _, distance := range []uint64{0, 1, 2, MaxSize - 1, MaxSize, half - 2} {
			if below := highest - distance; below <= highest && w.Restore(uint32(below)) != below {
				t.Errorf("highest %d: Restore(%d) = %d", highest, below, w.Restore(uint32(below)))
			}
			if above := highest + distance; above >= highest && w.Restore(uint32(above)) != above {
				t.Errorf("highest %d: Restore(%d) = %d", highest, above, w.Restore(uint32(above)))
			}
		}
	}
}

// The table of PROTOCOL.md 7.2, row by row.
func TestRestoreDocument(t *testing.T) {
	doc, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n### 7.2 ")
	section, _, _ = strings.Cut(section, "\n#")
	row := regexp.MustCompile("\\| `([0-9a-f]{16})` \\| `([0-9a-f]{8})` \\| `([0-9a-f]{16})` \\|")
	rows := row.FindAllStringSubmatch(section, -1)
	if len(rows) < 8 {
		t.Fatalf("section 7.2 has %d rows", len(rows))
	}
	for _, r := range rows {
		w := Window{highest: parseHex(t, r[1])}
		if got, want := w.Restore(uint32(parseHex(t, r[2]))), parseHex(t, r[3]); got != want {
			t.Errorf("highest %s: Restore(%s) = %016x, want %s", r[1], r[2], got, r[3])
		}
	}
}

func parseHex(t *testing.T, s string) uint64 {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func FuzzRestore(f *testing.F) {
	for _, edge := range edges {
		f.Add(edge, uint32(edge))
	}
	f.Fuzz(func(t *testing.T, highest uint64, low uint32) { checkRestore(t, highest, low) })
}

func BenchmarkRestore(b *testing.B) {
	w := Make(0)
	w.Accept(1 << 40)
	for i := uint32(0); b.Loop(); i++ {
		w.Restore(i)
	}
}
