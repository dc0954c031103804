package transport

import (
	"container/heap"
	"crypto/rand"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
)

// schedule is when the lanes of a shard's players are to be looked at: those that something has
// happened to, with the next flush, and the others at their own time. The outbox's lock guards it.
type schedule struct {
	players  int           // who have lanes
	now      time.Duration // of the last flush, since the server's start
	began    time.Duration // of the last turn or Hold: messages that are queued meanwhile grow old from then on
	touched  []*messages
	waiting  byDue
	receipts []receipt // to be delivered in the next turn
	spare    []receipt
	sleeps   time.Duration // until when the shard's loop sleeps; 0 while it does not
	body     [wire.MaxBody]byte
	numbers  numbers
}

// receipt is what Handler.Receipt is to be told.
type receipt struct {
	player  *Player
	id      uint64
	lane    uint8
	arrived bool
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
func (s *shard) wakes(now time.Time) {
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	s.schedule.begin(now)
	s.schedule.sleeps = 0
}

// holds notes when a Hold begins, while the shard may sleep.
func (s *shard) holds(now time.Time) {
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	s.schedule.begin(now)
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
func (s *shard) fill() {
	q := &s.schedule
	if q.players == 0 {
		q.rest()
		return
	}
	q.advance(s.server.clock.now())
	for _, m := range q.touched {
		m.dirty = false
		s.pump(m)
	}
	q.rest()
	for len(q.waiting) > 0 && q.waiting[0].due <= q.now {
		s.pump(q.waiting[0])
	}
	if q.sleeps > 0 && (len(q.receipts) > 0 || len(q.waiting) > 0 && q.waiting[0].due < q.sleeps) {
		q.sleeps = 0
		s.Socket.Wake()
	}
}

// rest forgets who was touched.
func (q *schedule) rest() {
	clear(q.touched)
	q.touched = q.touched[:0]
}

// pump puts what is due on the lanes of one player into the outbox, and schedules the rest.
//
// +checklocks:s.Out.Mu
func (s *shard) pump(m *messages) {
	q, p := &s.schedule, m.player
	due := never
	if p.messages == m && !m.busy && p.stay.Load() == present && !p.ended.Load() {
		m.endpoint.Tick(q.now, m)
		for range maxPump {
			if due = m.endpoint.Deadline(q.now); due > q.now || !s.appendFrames(m, p.conn) {
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
// +checklocks:s.Out.Mu
func (s *shard) appendFrames(m *messages, c *conn) bool {
	q := &s.schedule
	body, ok := nextFrames(q.body[:0], m.endpoint, q.now, &c.session)
	if !ok {
		return false
	}
	if put(&s.Out, c, c.Addr, wire.KindFrames, body) != nil { // a lost datagram: its connection has ended
		c.session.LeaveOut()
		return false
	}
	return true
}

// sleep says until when the shard's loop is about to wait, and returns how long: at most pause. What is due amid a
// Hold waits for its Release, which wakes the loop.
func (s *shard) sleep(now time.Time, pause time.Duration) time.Duration {
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	q := &s.schedule
	if q.players == 0 {
		return pause
	}
	at := now.Sub(epoch)
	switch {
	case len(q.receipts) > 0:
		return 0
	case len(q.waiting) > 0 && !s.Out.Held():
		pause = min(pause, max(0, q.waiting[0].due-at))
	}
	q.sleeps = at + pause
	return pause
}

// deliverReceipts tells the handler what has become of messages. It belongs to the shard's turn.
func (s *shard) deliverReceipts() {
	q := &s.schedule
	s.Out.Mu.Lock()
	list := q.receipts
	q.receipts, q.spare = q.spare[:0], nil
	s.Out.Mu.Unlock()
	told := 0
	defer func() {
		s.Out.Mu.Lock()
		defer s.Out.Mu.Unlock()
		if told < len(list) { // the handler has panicked: the next turn tells the rest
			q.receipts = append(slices.Clone(list[told:]), q.receipts...)
		}
		clear(list)
		q.spare = list[:0]
	}()
	for _, r := range list {
		told++
		s.handler.Receipt(r.player, int(r.lane), r.id, r.arrived)
	}
}

// byDue is a heap: the player whose lanes are due first is at the front.
type byDue []*messages

// Len implements heap.Interface.
func (h byDue) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byDue) Less(i, j int) bool { return h[i].due < h[j].due }

// Swap implements heap.Interface.
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (h *byDue) Push(x any) {
	m := x.(*messages)
	*h = append(*h, m)
	m.place = len(*h)
}

// Pop implements heap.Interface.
func (h *byDue) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.place = 0
	return m
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
