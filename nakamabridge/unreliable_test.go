package nakamabridge

import (
	"strings"
	"testing"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/transport"
)

// "Broadcasts with this op code … go by UDP to every player who has it": a handler all of whose
// broadcasts are reliable, as most are, does not change.
func TestUnreliable(t *testing.T) {
	t.Parallel()
	for op, want := range map[int64][2]string{2: {"anna ben", "cleo"}, 3: {"ben", "anna cleo"}} {
		virtually(t, func(w *world) {
			h := newHall(w)
			w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
				d.BroadcastMessage(op, []byte("world"), nil, nil, true)
				w.stage.arena.loop = nil
			}
			w.stage.loop()
			if udp, sock := h.received(op, "world"), w.stage.names(); udp != want[0] || sock != want[1] {
				t.Errorf("op code %d: by UDP to %q, by socket to %q, want %q", op, udp, sock, want)
			}
		}, func(c *Config) { c.Unreliable = func(op int64) bool { return op == 2 } })
	}
}

// "A broadcast that does not fit is logged once a match and op code, counted, and goes by the socket."
func TestOversized(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		h := newHall(w)
		huge := make([]byte, transport.MaxPayload)
		w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
			for range 3 {
				d.BroadcastMessage(7, huge, nil, nil, false)
				d.BroadcastMessage(8, huge, h.presences([]string{"anna", "cleo"}), nil, false)
				d.BroadcastMessage(9, huge, h.presences([]string{"anna", "cleo"}), nil, true) // by socket anyway
			}
			for op := range int64(100) {
				d.BroadcastMessage(1000+op, huge, nil, nil, true) // what clients send may be what the game sends
			}
		}
		w.stage.loop()
		s := w.bridge.Stats()
		if s.Oversized != 6+100 || s.Undelivered != 3+100 {
			t.Errorf("%d were too large and %d not delivered, want 106 and 103", s.Oversized, s.Undelivered)
		}
		text := w.log.String()
		for line, want := range map[string]int{"op code 7 ": 1, "op code 8 ": 1, "op code 9 ": 0, "op code 10": maxReported - 2} {
			if n := strings.Count(text, line); n != want {
				t.Errorf("%q is logged %d times, want %d", line, n, want)
			}
		}
		if n := len(w.stage.sent); n != 2*9+2*100 {
			t.Errorf("%d messages went by socket, want all", n)
		}
	})
}
