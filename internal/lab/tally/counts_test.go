package tally

import (
	"maps"
	"testing"
)

func TestCounts(t *testing.T) {
	t.Parallel()
	before, after := Counts{"tag": 3, "size": 1, "gone": 2}, Counts{"tag": 5, "size": 1, "rate": 1}
	added := after.Since(before)
	if want := (Counts{"tag": 2, "rate": 1}); !maps.Equal(added, want) {
		t.Errorf("since: %v, want %v", added, want)
	}
	added.Add(Counts{"tag": 1})
	if got := added.Text("none"); got != "1 rate, 3 tag" {
		t.Errorf("text: %q", got)
	}
	var none Counts
	if got := none.Since(before); got == nil || len(got) != 0 || got.Text("nothing") != "nothing" {
		t.Errorf("of none: %v, %q", got, got.Text("nothing"))
	}
}

// "A copy, never nil."
func TestCounter(t *testing.T) {
	t.Parallel()
	var c Counter
	empty := c.Counts()
	c.Count("idle")
	if c.Counts()["idle"] = 7; empty == nil || len(empty) != 0 || c.Counts()["idle"] != 1 {
		t.Errorf("%v, then %v", empty, c.Counts())
	}
}
