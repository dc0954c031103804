package revocation

import (
	"context"
	"strconv"
)

// Topic is one of the two channels of a Carrier.
type Topic uint8

// The topics. Whoever may publish to a topic can add nothing that would be believed without a
// trusted publisher's key.
const (
	TopicLive Topic = iota + 1 // from publishers to all subscribers: heads and segments
	TopicAsk                   // from subscribers to all publishers: challenges
)

// String returns the topic as a word, or "topic N".
func (t Topic) String() string {
	switch t {
	case TopicLive:
		return "live"
	case TopicAsk:
		return "ask"
	}
	return "topic " + strconv.Itoa(int(t))
}

// StateKey is the key of a stored segment: its publisher and the number of its first record.
type StateKey struct {
	Publisher PublisherID
	First     uint64
}

// Carrier moves messages between publishers and subscribers, and keeps the segments from which a
// subscriber starts. It is not trusted: it may lose, repeat, reorder, delay, forge and forget. A
// message has at most MaxMessage bytes. All methods are safe for concurrent use, and take as long
// as ctx lets them; an error is logged and the work is tried again later.
type Carrier interface {
	// Publish sends m to all that have subscribed to the topic and can be reached now. It should not
	// wait for them. m must not be changed or kept.
	Publish(ctx context.Context, t Topic, m []byte) error

	// Subscribe calls receive for each message of the topic, including the process's own, until stop
	// is called. receive does not block and does not keep or change m. It is no error if the broker
	// cannot be reached now.
	Subscribe(t Topic, receive func(m []byte)) (stop func(), err error)

	// Store keeps m under k in place of what was there, and Delete removes it.
	Store(ctx context.Context, k StateKey, m []byte) error
	Delete(ctx context.Context, k StateKey) error

	// Load calls each for the stored segments of a publisher in ascending order of First: at least
	// those with First at or above from, and the last one below. It stops at an error of each, and
	// returns it. each does not keep or change m.
	Load(ctx context.Context, p PublisherID, from uint64, each func(k StateKey, m []byte) error) error
}
