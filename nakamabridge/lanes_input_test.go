package nakamabridge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/transport"
)

// A player's messages on lane 0 are reliable input, in the order sent and of any length, beside the
// payloads and those on lane 1.
func TestReliableInput(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.seat("ben")
		w.stage.arena.log = nil
		bad := netsim.Impairment{Latency: 30 * time.Millisecond, Loss: 0.1}
		ben.line.SetImpairment(bad)
		ben.line.SetIncoming(bad)
		var want []string
		say := func(lane int, op int64, data string) {
			b, _ := matchdata.Append(nil, matchdata.MaxReliable, op, nil, []byte(data))
			if _, err := ben.SendMessage(lane, b); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			data := fmt.Sprintf("%d%s", i, strings.Repeat("x", i%2*4000))
			say(matchdata.Reliable, 5, data)
			want = append(want, fmt.Sprintf("data ben 5 %q true", data))
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		w.settle()
		w.want(want...)
		ben.line.SetImpairment(netsim.Impairment{})
		say(matchdata.Unreliable, 6, "six")
		if _, err := ben.SendMessage(matchdata.Reliable, []byte{0x80}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.settle()
		w.want(`data ben 6 "six" false`)
		if n := w.bridge.Stats().Malformed; n != 1 {
			t.Errorf("%d are malformed, want 1", n)
		}
	})
}

// Inputs that find the queue full are dropped, as Nakama drops those of sockets, and the log says so
// if they were reliable. The queue is bounded in bytes, too.
func TestInputQueue(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.seat("ben")
		w.stage.arena.log = nil
		for range 3 {
			for range 3 {
				if _, err := ben.SendMessage(matchdata.Reliable, append([]byte{5}, numbered(0, 1000)...)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			w.stage.loop()
		}
		if n, lines := len(w.stage.arena.log), strings.Count(w.log.String(), "reliable inputs"); n != 6 || lines != 1 {
			t.Errorf("%d inputs came, want 6; logged %d times", n, lines)
		}
		if s := w.bridge.Stats(); s.Inputs != 6 || s.Overflow != 3 {
			t.Errorf("counted are %d and %d", s.Inputs, s.Overflow)
		}
	}, func(c *Config) { c.Queue = 2 })
	q := inbox{limit: 2}
	if !q.push(nil, 1, 0, make([]byte, transport.MaxPayload), true) || q.push(nil, 1, 0, make([]byte, transport.MaxPayload+1), true) {
		t.Error("the queue takes more bytes than two datagrams have, or fewer")
	}
}
