package natscarrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Store implements revocation.Carrier. It returns once JetStream has confirmed that a majority of
// the replicas has m, or with an error after 2 s: while JetStream has no leader, nothing can be
// stored. Try again then.
func (c *Carrier) Store(ctx context.Context, k revocation.StateKey, m []byte) error {
	return c.put(ctx, &nats.Msg{Subject: c.names.segment(k), Data: m})
}

// Delete implements revocation.Carrier. It puts an empty message in the segment's place, which
// JetStream removes after a minute: so a process needs no permission but to publish under its own
// subjects.
func (c *Carrier) Delete(ctx context.Context, k revocation.StateKey) error {
	m := nats.NewMsg(c.names.segment(k))
	m.Header.Set(jetstream.MsgTTLHeader, graveTime.String())
	return c.put(ctx, m)
}

// put publishes to the stream, and makes the stream if there is none and this carrier may.
func (c *Carrier) put(ctx context.Context, m *nats.Msg) error {
	ctx, cancel, err := c.link.whileUp(ctx)
	if err != nil {
		return fmt.Errorf("natscarrier: not stored: %w", err)
	}
	defer cancel()
	_, err = c.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if errors.Is(err, jetstream.ErrNoStreamResponse) && c.config.Replicas > 0 {
		if err = c.create(ctx); err == nil {
			_, err = c.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
		}
	}
	if err != nil {
		return fmt.Errorf("natscarrier: not stored: %w", err)
	}
	return nil
}

// make makes the stream as soon as JetStream lets it: subscribers read it before anything is stored.
func (c *Carrier) make() {
	for c.ctx.Err() == nil {
		ctx, cancel, err := c.link.whileUp(c.ctx)
		if err == nil {
			err = c.create(ctx)
			cancel()
		}
		if err == nil {
			return
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(makeAgain):
		}
	}
}

// create makes the stream, or changes it to what the configuration says.
func (c *Carrier) create(ctx context.Context) error {
	_, err := c.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              c.config.Stream,
		Description:       "signed revocations from which Sallyport's servers start",
		Subjects:          []string{c.names.state("*") + ".*"},
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        revocation.MaxMessage,
		MaxAge:            c.config.Keep,
		Replicas:          c.config.Replicas,
		AllowDirect:       true, // any replica answers who starts
		AllowMsgTTL:       true, // for Delete
	})
	return err
}
