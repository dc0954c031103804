package transport

import (
	"container/heap"
	"crypto/rand"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
)

// schedule is when the lanes of a shard's players are to be looked at: those that something has
// happened to, with the next flush, and the others at their own time. The outbox's lock guards it.
type schedule struct {
	shard   *shard        // constant
	players int           // who have lanes
	now     time.Duration // of the last flush, since the server's start
	began   time.Duration // of the last turn or Hold: messages that are queued meanwhile grow old from then on
	touched []*messages
	waiting byDue
	sleeps  time.Duration // until when the shard's loop sleeps; 0 while it does not
	body    [wire.MaxBody]byte
	numbers numbers
}

// newEndpoint begins with lanes that have been agreed on, where next is the next sequence to a player.
func (q *schedule) newEndpoint(l *machine.Lanes, next uint64) *lanes.Endpoint {
	return lanes.New(lanesConfig(l, next, q.numbers.next))
}

// arrival is the time of a datagram that was received earlier than now by waited. It does not go back.
func (q *schedule) arrival(now time.Time, waited time.Duration) time.Duration {
	return max(q.now, now.Sub(epoch)-waited)
}

// epoch is where the schedules' time begins: long before any server's.
var epoch = time.Unix(0, 0)

// advance sets the time.
func (q *schedule) advance(now time.Time) { q.now = max(q.now, now.Sub(epoch)) }

// wakes notes that the shard does not sleep any more, and when its turn begins.
func (q *schedule) wakes(now time.Time) {
	o := &q.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	q.begin(now)
	q.sleeps = 0
}

// holds notes when a Hold begins, while the shard may sleep.
func (q *schedule) holds(now time.Time) {
	o := &q.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	q.begin(now)
}

func (q *schedule) begin(now time.Time) { q.began = max(q.began, now.Sub(epoch)) }

// sending returns the time at which a message is queued. While the outbox is held that is the time
// at which the turn, or Hold, has begun: arrival needs to know when the last flush was.
//
// +checklocks:s.Out.Mu
func (s *shard) sending() time.Duration {
	q := &s.schedule
	if !s.Out.Held() {
		q.advance(s.server.clock.now())
	}
	return max(q.now, q.began)
}

// touch has the lanes of a player looked at with the next flush.
func (q *schedule) touch(m *messages) {
	if !m.dirty {
		m.dirty = true
		q.touched = append(q.touched, m)
	}
}

// forget has the lanes of a player not looked at any more.
func (q *schedule) forget(m *messages) {
	q.players--
	if m.place > 0 {
		heap.Remove(&q.waiting, m.place-1)
	}
}

// fill puts what is due into the outbox, whose content is about to leave and whose lock is held.
//
// +checklocksignore
func (q *schedule) fill() {
	if q.players == 0 {
		q.rest()
		return
	}
	q.advance(q.shard.server.clock.now())
	for _, m := range q.touched {
		m.dirty = false
		q.pump(m)
	}
	q.rest()
	for len(q.waiting) > 0 && q.waiting[0].due <= q.now {
		q.pump(q.waiting[0])
	}
	if q.sleeps > 0 && (q.shard.receipts.some() || len(q.waiting) > 0 && q.waiting[0].due < q.sleeps) {
		q.sleeps = 0
		q.shard.Socket.Wake()
	}
}

// rest forgets who was touched.
func (q *schedule) rest() {
	clear(q.touched)
	q.touched = q.touched[:0]
}

// pump puts what is due on the lanes of one player into the outbox, and schedules the rest.
//
// +checklocks:q.shard.Out.Mu
func (q *schedule) pump(m *messages) {
	p := m.player
	due := never
	if p.messages == m && !m.busy && p.stay.Load() == present && !p.ended.Load() {
		m.endpoint.Tick(q.now, m)
		for range maxPump {
			if due = m.endpoint.Deadline(q.now); due > q.now || !q.appendFrames(m, p.conn) {
				break
			}
		}
		if m.closing != nil {
			due = min(due, m.closing.check(q.now, m))
		}
		due = max(due, q.now+minPause)
	}
	switch {
	case m.place > 0 && due == never:
		heap.Remove(&q.waiting, m.place-1)
	case m.place > 0:
		m.due = due
		heap.Fix(&q.waiting, m.place-1)
	case due != never:
		m.due = due
		heap.Push(&q.waiting, m)
	}
}

// appendFrames puts one datagram of a player's lanes into the outbox. It reports false if none is due.
//
// +checklocks:q.shard.Out.Mu
func (q *schedule) appendFrames(m *messages, c *conn) bool {
	body, ok := nextFrames(q.body[:0], m.endpoint, q.now, &c.session)
	if !ok {
		return false
	}
	if put(&q.shard.Out, c, c.Addr, wire.KindFrames, body) != nil { // a lost datagram: its connection has ended
		c.session.LeaveOut()
		return false
	}
	return true
}

// sleep says until when the shard's loop is about to wait, and returns how long: at most pause. What is due amid a
// Hold waits for its Release, which wakes the loop.
func (q *schedule) sleep(now time.Time, pause time.Duration) time.Duration {
	o := &q.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	if q.players == 0 {
		return pause
	}
	at := now.Sub(epoch)
	switch {
	case q.shard.receipts.some():
		return 0
	case len(q.waiting) > 0 && !o.Held():
		pause = min(pause, max(0, q.waiting[0].due-at))
	}
	q.sleeps = at + pause
	return pause
}

// numbers are random bytes in stock: lanes want one with each datagram.
type numbers struct {
	stock [64]byte
	left  int
}

// next returns a random number below 256.
func (n *numbers) next() uint64 {
	if n.left == 0 {
		rand.Read(n.stock[:]) //nolint:errcheck // it does not fail
		n.left = len(n.stock)
	}
	n.left--
	return uint64(n.stock[n.left])
}
