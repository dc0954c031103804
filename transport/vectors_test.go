package transport

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/vectors"
)

// "so at 100, 300 and 700 ms, until a close_notify comes or 1 s has passed" PROTOCOL.md 5.5
func TestVectorsCopiesOfClose(t *testing.T) {
	type sent struct {
		Copies []struct {
			AtMS int64 `json:"at_ms"`

			Sequence, Envelope string
		}
		Name, From, Secret, Exporter, Binding, Session, Epoch, Platform, Build, Certificate, First string

		Body any
	}
	for _, v := range vectors.Read[sent](t, "copies of a CLOSE") {
		at := time.Duration(0)
		for i, wait := range closeWaits {
			if i >= len(v.Copies) || time.Duration(v.Copies[i].AtMS)*time.Millisecond != at {
				t.Fatalf("%s: copy %d is sent after %v, and the vector has %+v", v.Name, i+1, at, v.Copies)
			}
			at += wait
		}
		if len(v.Copies) != len(closeWaits) || at != closeTime {
			t.Errorf("%s: %d copies, and it waits for %v in all", v.Name, len(v.Copies), at)
		}
	}
}
