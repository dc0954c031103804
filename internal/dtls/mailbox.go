package dtls

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// Message is something that has happened elsewhere and concerns a shard: keys are there, an
// identity token is verified, a player is kicked. There are none per datagram.
type Message interface {
	// Deliver acts on it, in the shard's turn.
	Deliver(now time.Time)
}

// mailbox keeps a shard's messages until its next turn.
type mailbox struct {
	wakes udp.Socket // the shard's, constant

	mu sync.Mutex
	// +checklocks:mu
	queue []Message
}

// Post has a message delivered in the shard's next turn, which comes soon.
func (m *mailbox) Post(msg Message) {
	m.put(msg)
	m.wakes.Wake()
}

// Delivered acts on the messages that have come, and reports whether there were any: they may have
// brought others.
func (m *mailbox) Delivered(now time.Time) (some bool) {
	messages := m.Undelivered()
	acted := 0
	defer func() { m.putBack(messages[acted:]) }() // a handler has panicked: the next turn has the rest
	for _, msg := range messages {
		acted++
		msg.Deliver(now)
	}
	return len(messages) > 0
}

// Undelivered takes all messages, in the order in which they came. As the shard closes, they are those
// that no turn will act on.
func (m *mailbox) Undelivered() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue = nil
	return queue
}

// put adds a message.
func (m *mailbox) put(msg Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, msg)
}

// putBack adds messages that were taken, before those that have come since.
func (m *mailbox) putBack(messages []Message) {
	if len(messages) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(messages, m.queue...)
}

// len is how many messages wait.
func (m *mailbox) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue)
}
