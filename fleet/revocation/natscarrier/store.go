package natscarrier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Store implements revocation.Carrier. It returns once JetStream has confirmed that a majority of
// the replicas has m, or with an error after 2 s: while JetStream has no leader, nothing can be
// stored. Try again then. The error matches ErrFull while the stream has no room.
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
	return c.stored(err)
}

// tooMuch is JetStream's code for a message that it did not store, and tooManyBytes what it says then of a stream
// that is full.
const (
	tooMuch      = jetstream.ErrorCode(10077)
	tooManyBytes = "maximum bytes exceeded"
)

// stored says once in the log that the stream is full, and that it no longer is. It returns err as Store does.
func (c *Carrier) stored(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == tooMuch && strings.Contains(api.Description, tooManyBytes) {
		if !c.full.Swap(true) {
			c.config.Log.Error("natscarrier: the stream is full, and nothing new is stored: servers that start have to wait; "+
				"raise MaxBytes of the central publisher's carrier, and see who stores that much", "stream", c.config.Stream)
		}
		return fmt.Errorf("%w: not stored: %w", ErrFull, err)
	}
	if err != nil {
		return fmt.Errorf("natscarrier: not stored: %w", err)
	}
	if c.full.Swap(false) {
		c.config.Log.Info("natscarrier: the stream stores again", "stream", c.config.Stream)
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
		MaxBytes:          c.config.MaxBytes,
		Discard:           jetstream.DiscardNew, // else the oldest revocations would make room
		Replicas:          c.config.Replicas,
		AllowDirect:       true, // any replica answers who starts
		AllowMsgTTL:       true, // for Delete
	})
	return err
}
