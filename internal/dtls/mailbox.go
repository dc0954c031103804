package dtls

import (
	"sync"
	"time"
)

// Message is something that has happened elsewhere and concerns a shard: keys are there, an
// identity token is verified, a player is kicked. There are none per datagram.
type Message interface {
	// Deliver acts on it, in the shard's turn.
	Deliver(now time.Time)
}

// mailbox keeps a shard's messages until its next turn.
type mailbox struct {
	mu sync.Mutex
	// +checklocks:mu
	queue []Message
}

// put adds a message.
func (m *mailbox) put(msg Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, msg)
}

// take returns all messages, in the order in which they came.
func (m *mailbox) take() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue = nil
	return queue
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
