package transport

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
)

// A server that breaks the rules of lanes is not heeded, and makes its client hold no more than the bounds let it; the
// session goes on.
func TestClientOfAHostileServer(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Lanes = modes })
		c := w.dial(1, withLanes)
		p := w.match.player(0)
		say := func(body []byte) {
			if err := p.conn.send(p.conn.Addr, wire.KindFrames, body); err != nil {
				w.Fatal(err)
			}
			synctest.Wait()
		}
		lie := func(n uint64) []byte {
			b, _ := wire.AppendAck(nil, []wire.Range{{Low: n, High: n}}, 0, wire.MaxBody)
			return b
		}
		for name, body := range map[string][]byte{
			"no such lane":          bodyOf(whole(9, 1, 1)),
			"an unknown type":       {0xf0},
			"a mode's other frame":  bodyOf(whole(4, 1, 1)),
			"beyond the longest":    bodyOf(fragment(0, 1, 0, 5001)),
			"beyond the window":     bodyOf(whole(3, lanes.MaxSpan+1, 1)),
			"beyond the credit":     bodyOf(wire.Frame{Type: wire.FrameSkip, Lane: 3, ID: 5, Bytes: 1 << 40}),
			"contradicting, in one": bodyOf(fragment(2, 9, 0, 1089), fragment(2, 9, 1, 1090)),
			"a lie":                 lie(5000),
			"a second":              lie(5001),
			"a third":               lie(5002),
			"a fourth":              lie(5003),
		} {
			before := c.Stats().Dropped
			say(body)
			if n := c.Stats().Dropped - before; n != 1 || c.progress.over() != nil {
				w.Errorf("%s: dropped %d, over: %v", name, n, c.progress.over())
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for id := uint64(1); id <= 3000; id++ { // nobody reads
			say(slices.Concat(bodyOf(fragment(0, id, 0, 1100)), bodyOf(whole(1, id, 300))))
			say(bodyOf(wire.Frame{Type: wire.FrameLatest, Lane: 4, ID: 2*id - 1, Key: uint32(id), Data: make([]byte, 1000)}))
			say(bodyOf(wire.Frame{Type: wire.FrameLatest, Lane: 4, ID: 2 * id, Key: uint32(id)}))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if n := int(after.HeapAlloc) - int(before.HeapAlloc); n > 8<<20 {
			w.Errorf("the client holds %d bytes", n)
		}
		got := 0
		w.serving.Go(func() { c.Serve(ClientHandler{Message: func(int, uint64, []byte) { got++ }}) }) //nolint:errcheck // the end of the session
		synctest.Wait()
		got = 0
		say(bodyOf(whole(3, 1, 1)))
		if got != 1 {
			w.Errorf("%d messages afterwards", got)
		}
		if _, err := c.SendMessage(2, []byte("x")); err != nil {
			w.Error(err)
		}
		time.Sleep(2 * time.Second)
		if c.progress.over() != nil {
			w.Error(c.progress.over())
		}
	})
}
