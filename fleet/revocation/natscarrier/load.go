package natscarrier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// page asks for the messages of a stream from a sequence on. Any replica answers it, with or without
// a leader, and nothing of it is left on the server: no consumer that could leak. It is what
// JetStream calls a batched direct get (ADR-31).
type page struct {
	Sequence uint64 `json:"seq"`
	Subjects string `json:"next_by_subj"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

// directGet is what the subject of a page begins with; the stream's name follows.
const directGet = "$JS.API.DIRECT.GET."

// Headers of the answers, and the status of the last one.
const (
	headerStatus   = "Status"
	headerSubject  = "Nats-Subject"
	headerSequence = "Nats-Sequence"
	headerPending  = "Nats-Num-Pending"

	statusEnd  = "204"
	statusNone = "404"
)

// errNoAnswer is the error where a server that is there does not answer, or the connection has ended.
var errNoAnswer = errors.New("the NATS server that holds the stream does not answer")

// errNoStream is the error where no server holds the stream at present.
var errNoStream = errors.New("no NATS server holds the stream at present")

// Load implements revocation.Carrier. It reads the stream in pages of 8 MB from whichever replica
// answers, holds at most 256 MB, and leaves nothing on the servers. It waits for 2 s at most for a
// connection, and for each answer.
func (c *Carrier) Load(ctx context.Context, p revocation.PublisherID, from uint64, each func(k revocation.StateKey, m []byte) error) error {
	segments, err := c.read(ctx, p)
	if err != nil {
		return fmt.Errorf("natscarrier: the stored state cannot be read: %w", err)
	}
	numbers := slices.Sorted(maps.Keys(segments))
	begin, found := slices.BinarySearch(numbers, from)
	if !found && begin > 0 {
		begin-- // the last one below
	}
	for _, n := range numbers[begin:] {
		if err := each(revocation.StateKey{Publisher: p, First: n}, segments[n]); err != nil {
			return err
		}
	}
	return nil
}

// read returns the stored segments of a publisher by their first number. They lie in the stream in
// the order in which they were stored.
func (c *Carrier) read(ctx context.Context, p revocation.PublisherID) (map[uint64][]byte, error) {
	segments, bytes := map[uint64][]byte{}, 0
	take := func(subject string, m []byte) error {
		n, ok := first(subject)
		if !ok {
			return nil // an operator's own message
		}
		bytes += len(m) - len(segments[n])
		if bytes > loadBytes {
			return errors.New("the stored state exceeds 256 MB")
		}
		if delete(segments, n); len(m) > 0 { // else it has been removed
			segments[n] = m
		}
		return nil
	}
	next, failed := uint64(1), 0
	for {
		last, pending, err := c.readPage(ctx, page{
			Sequence: next, Subjects: c.names.state(p.String()) + ".*", Batch: pageMessages, MaxBytes: pageBytes,
		}, take)
		switch {
		case errors.Is(err, errNoAnswer) && failed < pageTries:
			failed++ // the request went to a server that is gone; the next one goes to another
		case err != nil || pending == 0:
			return segments, err
		default:
			next, failed = last+1, 0
		}
	}
}

// readPage reads one page, and returns the sequence of its last message and how many come after it.
func (c *Carrier) readPage(ctx context.Context, p page, each func(subject string, b []byte) error) (last uint64, pending int, err error) {
	body, err := json.Marshal(p)
	if err != nil {
		return 0, 0, err
	}
	wait, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	live, err := c.link.await(wait)
	if err != nil {
		return 0, 0, err
	}
	inbox := c.conn.NewRespInbox()
	sub, err := c.conn.SubscribeSync(inbox)
	if err != nil {
		return 0, 0, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection may be closed
	if err := sub.SetPendingLimits(pageMessages+1, -1); err != nil {
		return 0, 0, err
	}
	if err := c.conn.PublishRequest(directGet+c.config.Stream, inbox, body); err != nil {
		return 0, 0, err
	}
	for {
		patience := answerTime
		if last == 0 {
			patience = firstTime
		}
		m, err := nextOf(ctx, live, patience, sub)
		if err != nil {
			return 0, 0, err
		}
		switch status := m.Header.Get(headerStatus); status {
		case "":
			if err := each(m.Header.Get(headerSubject), m.Data); err != nil {
				return 0, 0, err
			}
			if last, err = strconv.ParseUint(m.Header.Get(headerSequence), 10, 64); err != nil || last < p.Sequence {
				return 0, 0, errors.New("the NATS server answers out of order")
			}
		case statusEnd:
			pending, err = strconv.Atoi(m.Header.Get(headerPending))
			if err != nil || last == 0 {
				return 0, 0, errors.New("the NATS server ends a page without a message")
			}
			return last, pending, nil
		case statusNone:
			return 0, 0, nil
		default:
			return 0, 0, fmt.Errorf("the NATS server refuses to read the stream: status %s", status)
		}
	}
}

// nextOf waits for an answer.
func nextOf(ctx, live context.Context, patience time.Duration, sub *nats.Subscription) (*nats.Msg, error) {
	bound, cancel := bind(ctx, live, patience)
	defer cancel()
	m, err := sub.NextMsgWithContext(bound)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, errNoStream
	case err != nil && ctx.Err() == nil:
		return nil, errNoAnswer
	}
	return m, err
}
