package sidecar

import (
	"fmt"
	"slices"
	"testing"
)

// Payloads of a run before are not sent: a game that has been told of another one would forget everybody.
func TestPayloadsOfFormerRun(t *testing.T) {
	t.Parallel()
	const former, now = 1, 2
	for _, runs := range [][]uint32{{}, {now}, {former}, {former, now}, {now, former}, {former, now, now, former, former, now}} {
		var x box
		var want []string
		for i, run := range runs {
			body := fmt.Sprint("payload", i, "of", run)
			if !x.add(Header{Kind: Data, Run: run}, []byte(body)) {
				t.Fatal("no room")
			}
			if run == now {
				want = append(want, body)
			}
		}
		b, ends := x.swap(nil, nil)
		var got []string
		b, ends = ofRun(now, b, ends)
		start := 0
		for _, end := range ends {
			h, body, err := Parse(b[start:end])
			if err != nil || h.Run != now {
				t.Errorf("%v: %+v, %v", runs, h, err)
			}
			got, start = append(got, string(body)), end
		}
		if !slices.Equal(got, want) || start != len(b) {
			t.Errorf("%v: %q in %d bytes, want %q", runs, got, len(b), want)
		}
	}
}
