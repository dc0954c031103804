package replay

import (
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
)

type numberVector struct {
	Name     string `json:"name"`
	Highest  string `json:"highest"`
	Low      string `json:"low"`
	Restored string `json:"restored"`
}

// The numbers of the tests, for programs in other languages; go generate writes the file anew.
func TestVectorsRestore(t *testing.T) {
	var list []numberVector
	for _, v := range []struct {
		name    string
		highest uint64
		low     uint32
	}{
		{"the first", 0, 1},
		{"far ahead of nothing", 0, 0xffffffff},
		{"one is missing", 7, 9},
		{"the last below 2^32", 0xfffffffe, 0xffffffff},
		{"the first of 2^32", 0xffffffff, 0},
		{"late, below 2^32", 0x100000002, 0xffffffff},
		{"2^31 ahead: two are equally near", 0x1000003e8, 0x800003e9},
		{"more than 2^31 ahead", 0x1000003e8, 0x800003ea},
		{"the first of 2^48", 0xffffffffffff, 0},
		{"the first of 2^63", 0x7fffffffffffffff, 0},
		{"the last of all", 0xfffffffffffffffe, 0xffffffff},
		{"none is above the last", 0xffffffffffffffff, 0},
	} {
		w := Window{highest: v.highest}
		list = append(list, numberVector{v.name, fmt.Sprintf("%016x", v.highest), fmt.Sprintf("%08x", v.low), fmt.Sprintf("%016x", w.Restore(v.low))})
	}
	vectors.Hold(t, "restored numbers", list)
}

type windowVector struct {
	Name  string       `json:"name"`
	Size  int          `json:"size"`
	Steps []windowStep `json:"steps"`
}

type windowStep struct {
	Sequence string `json:"sequence"`
	Result   string `json:"result"` // accepted or replay
}

// "a number s is too old if s ≤ h and h - s ≥ n" PROTOCOL.md 7.3
func TestVectorsWindow(t *testing.T) {
	var list []windowVector
	for _, v := range []struct {
		name    string
		size    int
		numbers []uint64
	}{
		{"copies", 1024, []uint64{1, 1, 3, 2, 2, 3}},
		{"the edge of 1,024", 1024, []uint64{1, 1025, 2, 1, 1026, 2, 3}},
		{"the edge of 64", 64, []uint64{100, 36, 37, 37, 164, 100, 101}},
		{"a jump", 1024, []uint64{5, 1 << 40, 1<<40 - 1023, 1<<40 - 1024, 5}},
		{"the end of the numbers", 1024, []uint64{1<<64 - 2, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1024, 1<<64 - 1025, 1}},
	} {
		w := Make(v.size)
		made := windowVector{Name: v.name, Size: v.size}
		for _, n := range v.numbers {
			step := windowStep{fmt.Sprintf("%016x", n), "replay"}
			if w.Check(n) {
				w.Accept(n)
				step.Result = "accepted"
			}
			made.Steps = append(made.Steps, step)
		}
		list = append(list, made)
	}
	vectors.Hold(t, "window", list)
}
