package audit

import (
	"maps"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// "One value is at once the label of a counter, the reason of an audit event and a row of the documentation."
func TestEveryDropIsDescribed(t *testing.T) {
	word, seen := regexp.MustCompile(`^[a-z]+$`), make(map[string]bool)
	for d := range numDrops {
		label, sentence := d.String(), d.Describe()
		if !word.MatchString(label) || seen[label] {
			t.Errorf("%d: label %q is no word of its own", d, label)
		}
		seen[label] = true
		if len(sentence) < 15 || !strings.HasSuffix(sentence, ".") || strings.Count(sentence, ".") != 1 {
			t.Errorf("%v: %q is not one sentence", d, sentence)
		}
	}
	if numDrops.String() != "drop 29" || numDrops.Describe() != "" || Drop(255).String() != "drop 255" {
		t.Error("values that do not exist")
	}
}

// "DropNone and values that do not exist are not counted."
func TestCounters(t *testing.T) {
	var c Counters
	for _, d := range []Drop{DropNone, DropSize, DropReplay, DropReplay, DropIdle, numDrops, 255} {
		c.Add(d)
	}
	if got, want := c.Snapshot(), map[string]uint64{"size": 1, "replay": 2, "idle": 1}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// "all methods are safe for concurrent use, and none allocates but Snapshot"
func TestCountersConcurrent(t *testing.T) {
	var c Counters
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				c.Add(DropTag)
				c.Add(DropRate)
			}
			c.Snapshot()
		})
	}
	wg.Wait()
	if got, want := c.Snapshot(), map[string]uint64{"tag": 8000, "rate": 8000}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { c.Add(DropTag); _ = DropTag.String() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCountersAdd(b *testing.B) {
	var c Counters
	for b.Loop() {
		c.Add(DropRecord)
	}
}
