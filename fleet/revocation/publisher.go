package revocation

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Publisher signs records, keeps them in a directory of its own, and announces them until they may
// be forgotten. Its methods are safe for concurrent use.
type Publisher struct {
	config PublisherConfig // constant
	id     PublisherID     // constant
	epoch  uint64          // constant
	first  uint64          // constant: number of the epoch's first record
	opened time.Time       // constant; elapsed time counts from here, by the monotonic clock

	wake chan struct{} // something was queued, or asked
	work chan struct{} // something is to be stored in the carrier

	compacting sync.Mutex // one compaction at a time; before mu

	mu sync.Mutex
	// +checklocks:mu
	store *store
	// +checklocks:mu
	history history
	// +checklocks:mu
	branches []branch // newest first
	// +checklocks:mu
	carried carried
	// +checklocks:mu
	beats uint64
	// +checklocks:mu
	beaten time.Time // of the last head
	// +checklocks:mu
	nonces []nonce // to be answered
	// +checklocks:mu
	ended error // ErrClosed or ErrSuperseded; nil while it lives

	rescued numbers

	queue queue
	local atomic.Pointer[func(m []byte)] // the subscriber of this process, see SubscriberConfig.Own
}

// OpenPublisher opens the store in config.Dir, or makes it, and begins a new epoch. For up to 2 s
// it asks the carrier for anything that the store has lost. Errors match ErrConfig or ErrStore.
func OpenPublisher(config PublisherConfig) (*Publisher, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	return openPublisher(config, time.Now())
}

// openPublisher opens a store as of now.
func openPublisher(config PublisherConfig, now time.Time) (*Publisher, error) {
	p := &Publisher{
		config: config, id: IDOf(config.Key.Public()), opened: now,
		wake: make(chan struct{}, 1), work: make(chan struct{}, 1),
		carried: carried{dirty: make(map[uint64]bool)},
	}
	if err := p.open(now); err != nil {
		return nil, err
	}
	return p, nil
}

// ID returns the publisher's id.
func (p *Publisher) ID() PublisherID { return p.id }

// Append publishes records. Those that it returns, with Time and Number, are on the disk and on
// their way, and subscribers will get them whatever happens to the carrier; without an error these
// are all of them. Errors match ErrRecord, in which case nothing was published, ErrStore, ErrClosed
// or ErrSuperseded. After an ErrStore more may turn out to be published when the publisher is
// opened again.
func (p *Publisher) Append(records ...Record) ([]Record, error) {
	for i := range records {
		if err := records[i].check(); err != nil {
			return nil, err
		}
	}
	filled := slices.Clone(records)
	for i := range filled {
		filled[i].Time, filled[i].byClock = time.Time{}, false
	}
	done, err := p.appendAll(filled)
	return filled[:done], err
}

// appendAll appends and publishes records, in batches, and returns how many.
func (p *Publisher) appendAll(records []Record) (done int, err error) {
	for done < len(records) {
		n := min(len(records)-done, maxBatch)
		segments, err := p.append(time.Now(), records[done:done+n])
		if err != nil {
			return done, err
		}
		for _, s := range segments {
			p.publish(s.bytes)
		}
		signal(p.work)
		done += n
	}
	return done, nil
}

// append fills in, signs and keeps records, and returns the segments to be published.
func (p *Publisher) append(now time.Time, records []Record) (segments []kept, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return nil, p.ended
	}
	before := p.history.mark()
	var frames []byte
	for rest := records; len(rest) > 0; {
		s, n, err := p.history.add(rest, now, p.config.TokenLife, p.epoch, p.config.Key)
		if err != nil {
			p.history.reset(before)
			return nil, storeError("the signing key does not sign", err)
		}
		frames = appendFrame(frames, frameSegment, s.bytes)
		segments = append(segments, s)
		rest = rest[n:]
	}
	if err := p.store.append(frames); err != nil {
		p.history.reset(before)
		p.config.Logger.Error("revocation: records were not published", "publisher", p.config.Name, "error", err)
		return nil, err
	}
	for _, s := range segments {
		p.carried.dirty[s.first] = true
	}
	return segments, nil
}

// publish sends a message to everybody who listens. What is lost comes again with a heartbeat, or is
// read from the carrier's state.
func (p *Publisher) publish(m []byte) {
	if local := p.local.Load(); local != nil {
		(*local)(m)
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	if err := p.config.Carrier.Publish(ctx, TopicLive, m); err != nil {
		p.config.Logger.LogAttrs(context.Background(), slog.LevelDebug, "revocation: a live message was not sent", slog.Any("error", err))
	}
}

// segments calls each with what is kept from a number on.
func (p *Publisher) segments(from uint64, each func(m []byte) error) error {
	p.mu.Lock()
	all := slices.Clone(p.history.kept)
	p.mu.Unlock()
	for _, k := range all {
		if k.end <= from {
			continue
		}
		if err := each(k.bytes); err != nil {
			return err
		}
	}
	return nil
}

// Close publishes what is queued and a last head, and closes the store. End Run first.
func (p *Publisher) Close() error {
	p.queue.close()
	err := p.flush()
	if m := p.head(time.Now(), true); m != nil {
		p.publish(m)
	}
	p.compacting.Lock()
	defer p.compacting.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.store == nil {
		return nil
	}
	p.ended = ErrClosed
	closed := p.store.close()
	p.store = nil
	if err == nil {
		err = closed
	}
	return err
}

// PublisherStats are a publisher's counts.
type PublisherStats struct {
	Epoch    uint64
	Last     uint64 // number of the newest record
	Segments int    // kept
	Records  int    // kept
	Bytes    int    // of the segments kept
	Queued   int    // records that Enqueue has taken
	Refused  uint64 // records that Enqueue has not taken, or that could not be published
	Unstored int    // segments that the carrier has still to store
}

// Stats returns the counts now.
func (p *Publisher) Stats() PublisherStats {
	queued, refused := p.queue.counts()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PublisherStats{
		Epoch: p.epoch, Last: p.history.last, Segments: len(p.history.kept), Queued: queued, Refused: refused,
		Unstored: len(p.carried.dirty),
	}
	for _, k := range p.history.kept {
		s.Records += k.count
		s.Bytes += len(k.bytes)
	}
	return s
}

// signal wakes whoever waits for c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
