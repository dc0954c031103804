package matrix

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// cell is what both directions of a network do to a match, and what happens in it.
type cell struct {
	loss, reorder, copies, corrupt int           // percent
	rtt, jitter                    time.Duration // jitter is each way
	mtu                            int           // bytes of an IP packet; 0: any
	event                          event
	hit                            hit // of the handshake
}

// The axes. The first value of each is a good path.
var axes = []axis{
	{"loss", 4, func(c *cell, i int) { c.loss = [...]int{0, 5, 15, 30}[i] }},
	{"rtt", 4, func(c *cell, i int) { c.rtt = [...]time.Duration{0, 50, 200, 600}[i] * time.Millisecond }},
	{"jitter", 3, func(c *cell, i int) { c.jitter = [...]time.Duration{0, 20, 100}[i] * time.Millisecond }},
	{"reorder", 3, func(c *cell, i int) { c.reorder = [...]int{0, 10, 30}[i] }},
	{"copies", 3, func(c *cell, i int) { c.copies = [...]int{0, 10, 50}[i] }},
	{"corrupt", 3, func(c *cell, i int) { c.corrupt = [...]int{0, 2, 10}[i] }},
	{"mtu", 2, func(c *cell, i int) { c.mtu = [...]int{0, 1280}[i] }},
	{"event", len(events), func(c *cell, i int) { c.event = events[i] }},
}

type axis struct {
	name   string
	values int
	set    func(c *cell, i int)
}

// name says what a cell is, as far as it is not a good path.
func (c *cell) name() string {
	var parts []string
	for _, p := range []struct {
		name  string
		value int
	}{
		{"loss", c.loss},
		{"rtt", int(c.rtt.Milliseconds())},
		{"jitter", int(c.jitter.Milliseconds())},
		{"reorder", c.reorder},
		{"copies", c.copies},
		{"corrupt", c.corrupt},
		{"mtu", c.mtu},
	} {
		if p.value > 0 {
			parts = append(parts, p.name+strconv.Itoa(p.value))
		}
	}
	if c.event.name != "" {
		parts = append(parts, c.event.name)
	}
	if c.hit.what != pass {
		parts = append(parts, c.hit.name())
	}
	if parts == nil {
		return "good"
	}
	return strings.Join(parts, ",")
}

func (c *cell) impairment() netsim.Impairment {
	share := func(percent int) float64 { return float64(percent) / 100 }
	return netsim.Impairment{
		Latency: c.rtt / 2, Jitter: c.jitter, Loss: share(c.loss), Reorder: share(c.reorder), Duplicate: share(c.copies), Corrupt: share(c.corrupt),
	}
}

// cellOf is the cell with these values of the axes.
func cellOf(values []int) (c cell) {
	for i, a := range axes {
		a.set(&c, values[i])
	}
	return c
}

// extremes are the cells off the good path on one axis only, and the good path.
func extremes() (rows [][]int) {
	rows = append(rows, make([]int, len(axes)))
	for i, a := range axes {
		for v := 1; v < a.values; v++ {
			row := make([]int, len(axes))
			row[i] = v
			rows = append(rows, row)
		}
	}
	return rows
}

// pairs are cells in which every value of an axis meets every value of every other: each cell is made of the pair that is
// missing and, axis by axis, of the values that bring most of the other ones.
func pairs() (rows [][]int) {
	type pair struct{ a, v, b, w int }
	missing := map[pair]bool{}
	var order []pair
	for a := range axes {
		for b := a + 1; b < len(axes); b++ {
			for v := range axes[a].values {
				for w := range axes[b].values {
					p := pair{a, v, b, w}
					missing[p] = true
					order = append(order, p)
				}
			}
		}
	}
	has := func(a, v, b, w int) bool {
		if a > b {
			a, v, b, w = b, w, a, v
		}
		return missing[pair{a, v, b, w}]
	}
	for _, first := range order {
		if !missing[first] {
			continue
		}
		row := make([]int, len(axes))
		for i := range row {
			row[i] = -1
		}
		row[first.a], row[first.b] = first.v, first.w
		for a := range axes {
			if row[a] >= 0 {
				continue
			}
			best, most := len(rows)%axes[a].values, -1
			for k := range axes[a].values {
				v, n := (len(rows)+k)%axes[a].values, 0
				for b, w := range row {
					if w >= 0 && has(a, v, b, w) {
						n++
					}
				}
				if n > most {
					best, most = v, n
				}
			}
			row[a] = best
		}
		for a := range row {
			for b := a + 1; b < len(row); b++ {
				delete(missing, pair{a, row[a], b, row[b]})
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// product is every cell there is, in an order that says much soon.
func product() (rows [][]int) {
	for row := make([]int, len(axes)); ; {
		rows = append(rows, append([]int(nil), row...))
		i := 0
		for ; i < len(row); i++ {
			if row[i]++; row[i] < axes[i].values {
				break
			}
			row[i] = 0
		}
		if i == len(row) {
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			return rows
		}
	}
}

// full is whether the whole product is tried.
var full = os.Getenv("SALLYPORT_MATRIX") == "full"

func mode() string {
	if full {
		return "SALLYPORT_MATRIX=full "
	}
	return ""
}

// number is the number that an environment variable holds.
func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number from 1", name, text)
	}
	return n
}

var turns = map[string]int{} // of a test, with -count: each has other seeds

// Every pair of values of two axes, and each value alone; with SALLYPORT_MATRIX=full every cell.
func TestMatrix(t *testing.T) {
	rows := append(extremes(), pairs()...)
	switch {
	case full:
		rows = product()
	case testing.Short():
		var some [][]int
		for i := 0; i < len(rows); i += 6 {
			some = append(some, rows[i])
		}
		rows = some
	}
	var cells []cell
	seen := map[string]bool{}
	for _, values := range rows {
		c := cellOf(values)
		if !seen[c.name()] {
			seen[c.name()] = true
			cells = append(cells, c)
		}
	}
	tryAll(t, cells)
}

// tryAll runs cells beside each other and reports on them.
func tryAll(t *testing.T, cells []cell) {
	seeds, first := number(t, "SALLYPORT_SEEDS", 1), number(t, "SALLYPORT_SEED", 1)
	first += turns[t.Name()] * seeds
	turns[t.Name()]++
	before := heap()
	k := newKit(t)
	var mu sync.Mutex
	var rep report
	for part := range slices.Chunk(cells, 500) { // each waits for those before it, so that memory is bounded
		t.Run("cell", func(t *testing.T) {
			for _, c := range part {
				t.Run(c.name(), func(t *testing.T) {
					t.Parallel()
					for seed := first; seed < first+seeds; seed++ {
						r := k.try(t, c, uint64(seed))
						mu.Lock()
						rep.add(c.name(), seed, r)
						mu.Unlock()
					}
				})
			}
		})
	}
	t.Log(rep.String())
	if left := int(heap()-before) - heapOfRow*len(rep.rows); left > heapLeft {
		t.Errorf("%d bytes are left of %d runs", left, len(rep.rows))
	}
}

const (
	// heapLeft is how many bytes of heap may be left when all matches are over: some caches of the process, and heapOfRow for
	// each row of the report.
	heapLeft  = 4 << 20
	heapOfRow = 2 << 10
)

// heap is how much of it is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
