package keys

import "context"

// Carrier carries messages between Holders and the Keeper. It may lose, repeat, delay and reorder
// them: nothing that it delivers is believed. It is safe for concurrent use.
type Carrier interface {
	// Publish delivers message to the present subscribers of topic. It does not keep message, and
	// waits only for room in a queue. An error means that the message was certainly lost.
	Publish(ctx context.Context, topic string, message []byte) error

	// Subscribe calls receive with each message for topic, one at a time, until stop is called or the
	// carrier is closed. It does so on a goroutine of its own, never within Publish. The message is the
	// carrier's, and borrowed for the call.
	Subscribe(topic string, receive func(message []byte)) (stop func(), err error)
}

// announcements is the topic that the Keeper subscribes to.
const announcements = "announce"

// grants is the topic of one instance. All topics consist of letters, digits and dots.
func grants(i instance) string { return "grant." + i.String() }
