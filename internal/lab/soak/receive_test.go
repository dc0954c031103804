package soak

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
)

// bot is a stay whose network is the test.
type bot struct {
	*stay
	now   time.Time
	match uint32
	tick  uint32
}

func newBot(config Config) *bot {
	r := &run{config: config, began: time.Unix(1, 0)}
	b := &bot{stay: newStay(newPlayer(r, 0)), now: r.began, match: 1}
	b.seen.last = b.now
	return b
}

// sends counts inputs as sent, of which the impairment takes the last ones.
func (b *bot) sends(n, taken uint64) {
	for i := range n {
		b.input.Number++
		b.ledger.note(b.input.Number, b.dropped.Load())
		b.sent.Add(1)
		if i >= n-taken {
			b.dropped.Add(1)
		}
	}
}

// sees is a snapshot 10 ms after what was before.
func (b *bot) sees(delivered uint64, newest uint32) {
	b.now = b.now.Add(10 * time.Millisecond)
	b.tick++
	b.look(b.now, &arena.Snapshot{Match: b.match, Tick: b.tick, Rate: 100, Delivered: delivered, Newest: newest, You: arena.Body{Player: 1}})
}

// replacement is a bot that has sent 10 inputs, of which the old process had 7 and the impairment took 1, and 8 more in the
// pause, of which the impairment took 2.
func replacement() *bot {
	b := newBot(Config{Replace: true})
	b.sends(8, 1)
	b.sends(2, 0)
	b.sees(7, 7)
	b.sends(8, 2)
	b.now = b.now.Add(40 * time.Millisecond)
	b.match = 2
	b.sees(0, 0)
	return b
}

// "Only what is sent between the last snapshot of the one process and the first of the other may be lost": from the newest
// input on that the old process has acknowledged, and without what the impairment took.
func TestReplacementAllows(t *testing.T) {
	b := replacement()
	if got := b.turn.allowance(); got != 10-7-1+8-2 {
		t.Errorf("%d inputs may be lost, want 8", got)
	}
	if b.run.turned.Load() != 1 || b.run.pauses.longest() != 50*time.Millisecond {
		t.Errorf("%d turns, the longest of %v, want one of 50ms", b.run.turned.Load(), b.run.pauses.longest())
	}
	b.sends(3, 1)
	b.sees(1, 19)
	if got := b.turn.lost(); got != 8 {
		t.Errorf("%d known to be lost, want the 8 that are missing before input 19", got)
	}
	b.sees(2, 20)
	if got := b.delivered.Load(); got != 9 {
		t.Errorf("%d delivered to both processes together, want 9", got)
	}
}

// What comes of the old process after the first snapshot of the new one counts for nothing.
func TestOvertakenByTheNextProcess(t *testing.T) {
	b := replacement()
	b.match = 1
	b.sees(9, 10)
	if b.delivered.Load() != 7 || b.run.turned.Load() != 1 || b.turn.allowance() != 8 {
		t.Errorf("%d delivered, %d turns, %d may be lost", b.delivered.Load(), b.run.turned.Load(), b.turn.allowance())
	}
}

// "It is over when an input from the new socket is acknowledged", and not before.
func TestChangeOfSocketIsAcknowledged(t *testing.T) {
	b := newBot(Config{Migrate: true})
	b.sends(5, 0)
	b.sees(4, 4)
	b.turn.begin(b.now, 6, 6)
	b.turn.allow(1)
	b.sends(2, 0)
	if b.sees(5, 5); b.run.turned.Load() != 0 {
		t.Error("over with what came from the old socket")
	}
	if b.sees(6, 6); b.run.turned.Load() != 1 || b.run.pauses.longest() != 20*time.Millisecond || b.turn.lost() != 0 {
		t.Errorf("%d turns, longest %v, %d lost", b.run.turned.Load(), b.run.pauses.longest(), b.turn.lost())
	}
}

// "An input that waited for the end of a turn is not measured."
func TestTurnIsNoRoundTrip(t *testing.T) {
	b := newBot(Config{Blackout: time.Second})
	b.sends(1, 0)
	b.sees(0, 0)
	b.now = b.now.Add(time.Second)
	b.turn.begin(b.now, 0, 2)
	if b.sees(1, 1); b.run.turned.Load() != 1 || b.run.pauses.longest() != 10*time.Millisecond || b.run.rtt.longest() != 0 {
		t.Errorf("%d turns, pause %v, round trip %v", b.run.turned.Load(), b.run.pauses.longest(), b.run.rtt.longest())
	}
}

// A server may be replaced again: what is allowed, and what is known to be lost, adds up.
func TestReplacedAgain(t *testing.T) {
	b := replacement()
	b.sends(2, 0)
	b.sees(1, 19)
	b.match = 3
	b.sees(0, 0)
	b.sends(1, 0)
	b.sees(1, 21)
	if n := b.turn.allowance(); n != 8+1 || b.turn.lost() != 9 || b.delivered.Load() != 7+1+1 || b.run.arrived.Load() != 2 {
		t.Errorf("%d may be lost, %d are, %d delivered, %d arrivals", n, b.turn.lost(), b.delivered.Load(), b.run.arrived.Load())
	}
}

// A player whose number changes within a match is another one to it.
func TestStrangers(t *testing.T) {
	b := replacement()
	if b.run.strangers.Load() != 0 {
		t.Error("a new process gives new numbers")
	}
	b.look(b.now, &arena.Snapshot{Match: 2, You: arena.Body{Player: 2}})
	if b.run.strangers.Load() != 1 {
		t.Error("not noticed")
	}
}

// A snapshot of each tick that is played is expected, however slow they are played, and of the time
// in which nothing has come, but for a pause.
func TestSnapshotsExpected(t *testing.T) {
	b := newBot(Config{})
	want := func(n uint64) {
		t.Helper()
		if got := b.expected(b.now); got != n {
			t.Errorf("%d expected, want %d", got, n)
		}
	}
	want(0)
	b.now = b.now.Add(pauseTime + time.Second - 10*time.Millisecond)
	b.sees(0, 0) // a second late
	want(100 + 1)
	b.tick += 9 // lost
	for range 10 {
		b.now = b.now.Add(time.Second / 4)
		b.sees(0, 0)
	}
	want(100 + 20)
	b.match, b.tick = 2, 50
	b.sees(0, 0)
	b.sees(0, 0)
	want(100 + 20 + 2)
	b.now = b.now.Add(pauseTime)
	want(100 + 20 + 2)
	b.now = b.now.Add(2 * time.Second)
	want(100 + 20 + 2 + 200)
	b.run.config.Hang = 3 * time.Second
	want(100 + 20 + 2)
	b.run.config.Blackout = time.Second
	want(20 + 2)
	b.taken.Store(4)
	want(20 + 2 - 4)
	b.taken.Store(23)
	want(0)
}
