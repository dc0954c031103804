package play

import (
	"encoding/json"
	"testing"

	"github.com/sallyport/sallyport/internal/lab/arena"
)

// lanes.json has the lanes that the players of examples/client know.
func TestLanes(t *testing.T) {
	var lanes []struct {
		Mode       string
		Priority   uint8
		MaxMessage int    `json:"max_message"`
		MaxAge     string `json:"max_age"`
		Parity     int
		Input      bool
		Insure     bool
		Receipts   bool
	}
	if err := json.Unmarshal(Lanes, &lanes); err != nil {
		t.Fatal(err)
	}
	want := arena.Lanes()
	if len(lanes) != len(want) {
		t.Fatalf("%d lanes, want %d", len(lanes), len(want))
	}
	for i, w := range want {
		age := ""
		if w.MaxAge > 0 {
			age = w.MaxAge.String()
		}
		l := lanes[i]
		if l.Mode != w.Mode.String() || l.Priority != w.Priority || l.MaxMessage != w.MaxMessage || l.MaxAge != age ||
			l.Parity != w.Parity || l.Input != w.Input || l.Insure != w.Insure || l.Receipts != w.Receipts {
			t.Errorf("lane %d is %+v, want %+v", i, l, w)
		}
	}
}
