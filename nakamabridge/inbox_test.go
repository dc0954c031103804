package nakamabridge

import (
	"context"
	"database/sql"
	"testing"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/transport"
)

// crowd is a match with players who have UDP but no network: what they send is handed to the bridge.
type crowd struct {
	bridge  *Bridge
	match   *match
	stage   *stage
	players []*transport.Player
}

// newCrowd seats so many players; the arena keeps no log.
func newCrowd(tb testing.TB, players, queue int) *crowd {
	b := &Bridge{
		config:  Config{Queue: queue, VirtualPlayers: players, Logger: silent{}, Audit: silent{}},
		matches: map[string]*match{}, members: map[string]map[*member]struct{}{},
	}
	b.closing = tb.Context()
	s := newStage(tb.Context(), b)
	c := &crowd{bridge: b, match: s.match.(*match), stage: s}
	for range players {
		m := &member{match: c.match, userID: newUUID()}
		c.match.seats.sitVirtual(newVirtual(m), m)
		c.players = append(c.players, &transport.Player{Value: m})
	}
	c.match.inner = &counter{Match: s.arena}
	return c
}

// counter is a match handler that costs nothing: it sums up what it gets.
type counter struct {
	runtime.Match
	inputs, bytes int
	last          []runtime.MatchData
}

func (c *counter) MatchLoop(
	_ context.Context, _ runtime.Logger, _ *sql.DB, _ runtime.NakamaModule, _ runtime.MatchDispatcher,
	_ int64, state any, messages []runtime.MatchData,
) any {
	c.inputs += len(messages)
	c.last = messages
	for _, m := range messages {
		c.bytes += len(m.GetData())
	}
	return state
}

// "takes at most what arrived before the tick", "what comes when it is full is refused and counted"
func TestQueue(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 7, 8, 9, 20} {
		c := newCrowd(t, 2, 8)
		for range n {
			c.bridge.receive(c.players[0], []byte("\x01data"))
		}
		c.stage.loop()
		in := c.match.inner.(*counter)
		s := c.bridge.counts.overflow.Load()
		if want := min(n, 8); in.inputs != want || in.bytes != 4*want || s != uint64(n-want) {
			t.Errorf("of %d inputs %d came and %d were counted as refused, want %d and %d", n, in.inputs, s, want, n-want)
		}
		c.bridge.receive(c.players[1], []byte("\x01"))
		if c.stage.loop(); in.inputs != min(n, 8)+1 {
			t.Errorf("after %d inputs the queue has no room again", n)
		}
	}
}

// What does not parse, or comes from who is not in a match, goes no further.
func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1, 8)
	c.bridge.receive(c.players[0], []byte{0x80})
	c.bridge.receive(c.players[0], nil)
	c.bridge.receive(&transport.Player{}, []byte{1})
	c.bridge.receive(c.players[0], []byte{1})
	c.players[0].Value.(*member).out.Store(true) // kicked before the tick
	c.stage.loop()
	if n := &c.bridge.counts; n.malformed.Load() != 2 || n.orphaned.Load() != 2 || c.match.inner.(*counter).inputs != 0 {
		t.Errorf("malformed %d, orphaned %d, to the game %d; want 2, 2, 0", n.malformed.Load(), n.orphaned.Load(), c.match.inner.(*counter).inputs)
	}
}

// "A handler may keep a message, and its data, as it may those of the socket."
func TestKeptInputs(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1, 8)
	in := c.match.inner.(*counter)
	c.bridge.receive(c.players[0], []byte("\x01first"))
	c.stage.loop()
	kept := in.last
	for range 3 {
		c.bridge.receive(c.players[0], []byte("\x02other"))
		c.stage.loop()
	}
	if m := kept[0]; len(kept) != 1 || m.GetOpCode() != 1 || string(m.GetData()) != "first" {
		t.Errorf("what was kept is %d messages, %d %q", len(kept), m.GetOpCode(), m.GetData())
	}
}

// A tick allocates for the inputs, their data and the list of messages, however many there are; one without inputs does
// not.
func TestNoAllocs(t *testing.T) {
	c := newCrowd(t, 100, defaultQueue)
	payload := []byte("\x03an input of a player")
	for _, inputs := range []int{100, 0} {
		tick := func() {
			for _, p := range c.players[:inputs] {
				c.bridge.receive(p, payload)
			}
			c.stage.loop()
		}
		tick()
		tick()
		if got, want := testing.AllocsPerRun(100, tick), float64(min(inputs, 3)); got > want {
			t.Errorf("a tick with %d inputs allocates %v times, want %v", inputs, got, want)
		}
	}
}

// A datagram through the bridge, from transport's call to the match handler's: a hundred players, one input each a tick.
func BenchmarkInput(b *testing.B) {
	c := newCrowd(b, 100, defaultQueue)
	payload := []byte("\x03an input of a player with some 40 bytes")
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		c.bridge.receive(c.players[n%100], payload)
		if n%100 == 99 {
			c.stage.loop()
		}
	}
}

// A tick of a match where nobody has UDP.
func BenchmarkTickWithoutUDP(b *testing.B) {
	c := newCrowd(b, 0, defaultQueue)
	b.ReportAllocs()
	for b.Loop() {
		c.stage.loop()
	}
}
