package machine

import "testing"

// Every event has a name.
func TestEventNames(t *testing.T) {
	for k := EventNone; k <= EventCloseAgain; k++ {
		if k.String() == "" {
			t.Errorf("event %d has no name", uint8(k))
		}
	}
	if got := EventKind(99).String(); got != "event 99" {
		t.Error(got)
	}
}
