package natscarrier

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Publish implements revocation.Carrier. It does not wait for the network. While there is no
// connection it returns an error, and m is not sent later.
func (c *Carrier) Publish(ctx context.Context, t revocation.Topic, m []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := errNotConnected
	if live, _ := c.link.now(); live != nil {
		err = c.conn.Publish(c.names.topic(t, c.config.Name), m)
	}
	if err != nil {
		return fmt.Errorf("natscarrier: not published: %w", err)
	}
	c.sent.Add(1)
	return nil
}

// Subscribe implements revocation.Carrier. Messages of a topic come one at a time, on a goroutine of
// the subscription. See Config.Queue for those that receive is too slow for.
func (c *Carrier) Subscribe(t revocation.Topic, receive func(m []byte)) (stop func(), err error) {
	sub, err := c.conn.Subscribe(c.names.topic(t, "*"), func(m *nats.Msg) {
		c.received.Add(1)
		receive(m.Data)
	})
	if err != nil {
		return nil, fmt.Errorf("natscarrier: not subscribed: %w", err)
	}
	if err := sub.SetPendingLimits(c.config.Queue, queueBytes); err != nil {
		return nil, fmt.Errorf("natscarrier: not subscribed: %w", err)
	}
	return func() { sub.Unsubscribe() }, nil //nolint:errcheck // a connection that is closed has no subscription
}
