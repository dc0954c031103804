package nakamabridge

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// inbox holds the UDP inputs since a match's last tick. It is used by the goroutines of the UDP
// server and by that of the match.
type inbox struct {
	limit int // inputs; constant

	mu sync.Mutex
	// +checklocks:mu
	next batch
	// +checklocks:mu
	live map[*member]struct{} // joined, and not left
	// +checklocks:mu
	closed bool
}

// batch is the inputs of one tick. Its memory is not shared, since match handlers may keep
// messages.
type batch struct {
	joins, leaves []*member // at most one of each for a session
	inputs        []input
	refused       int    // reliable inputs for which there was no room
	data          []byte // of all inputs
}

// input is one payload or message of a player, as runtime.MatchData.
type input struct {
	runtime.Presence // of the sender, set in the tick
	member           *member
	op, at           int64
	reliable         bool
	start, end       int // in batch.data, until data is set in the tick
	data             []byte
}

func (i *input) GetOpCode() int64                  { return i.op }
func (i *input) GetData() []byte                   { return i.data }
func (i *input) GetReliable() bool                 { return i.reliable }
func (i *input) GetReceiveTime() int64             { return i.at }
func (i *input) GetReason() runtime.PresenceReason { return runtime.PresenceReasonUnknown }

// MarshalJSON encodes the input as Nakama's own messages are encoded.
func (i *input) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		UserID, SessionID, Username, Node string
		OpCode                            int64
		Data                              []byte
		Reliable                          bool
		ReceiveTime                       int64
	}{i.GetUserId(), i.GetSessionId(), i.GetUsername(), i.GetNodeId(), i.op, i.data, i.reliable, i.at})
}

// join reports false when the match is over.
func (q *inbox) join(m *member) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.live[m] = struct{}{}
	q.next.joins = append(q.next.joins, m)
	return true
}

// push copies an input, or reports that there is no room.
func (q *inbox) push(m *member, op, at int64, data []byte, reliable bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &q.next
	if q.closed {
		return false
	}
	if len(b.inputs) >= q.limit || len(b.data)+len(data) > q.limit*transport.MaxPayload {
		if reliable {
			b.refused++
		}
		return false
	}
	start := len(b.data)
	b.data = append(b.data, data...)
	b.inputs = append(b.inputs, input{member: m, op: op, at: at, reliable: reliable, start: start, end: len(b.data)})
	return true
}

// leave ends a session's part, after its inputs.
func (q *inbox) leave(m *member) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.live, m)
	if !q.closed {
		q.next.leaves = append(q.next.leaves, m)
	}
}

// take returns the inputs that came before the tick. The next batch gets room for as many.
func (q *inbox) take() batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.next
	q.next = batch{inputs: make([]input, 0, len(b.inputs)), data: make([]byte, 0, len(b.data))}
	return b
}

// close refuses newcomers from now on.
func (q *inbox) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// disband ends the members' sessions, behind the match's last reliable broadcasts.
func (q *inbox) disband(reason session.Reason, detail ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for m := range q.live {
		m.close(reason, detail...)
	}
}

// reportRefused logs that reliable inputs have found the queue full.
func (m *match) reportRefused(n int) {
	if n > 0 && m.full.allows(time.Now()) {
		m.bridge.config.Logger.Warn("nakamabridge: match %s: %d reliable inputs before this tick are dropped, because %d inputs, or %d bytes of them, "+
			"wait already: Config.Queue is too small, or ticks take too long", m.id, n, m.inbox.limit, m.inbox.limit*transport.MaxPayload)
	}
}
