package revocation

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/session"
)

// Subscriber puts in force what trusted publishers have published, and knows how old its knowledge
// is. Its methods are safe for concurrent use.
type Subscriber struct {
	config SubscriberConfig         // constant
	view   atomic.Pointer[coreView] // what the core knew last
	inbox  inbox

	mu sync.Mutex
	// +checklocks:mu
	trust []Trusted // to be added to the core
	// +checklocks:mu
	trusted map[PublisherID]bool
}

// NewSubscriber returns a Subscriber that knows nothing yet: until Run has read everything, its
// knowledge is stale. Errors match ErrConfig.
func NewSubscriber(config SubscriberConfig) (*Subscriber, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	s := &Subscriber{config: config, inbox: inbox{wake: make(chan struct{}, 1)}, trusted: make(map[PublisherID]bool)}
	for i := range config.Trusted {
		s.trusted[IDOf(config.Trusted[i].Key)] = true
	}
	s.view.Store(newCore(config, time.Now(), nil).view())
	return s, nil
}

// Trust adds publishers that are believed from now on, or replaces those with the same key: all of
// them, or none with an error, which matches ErrConfig. What a publisher has published while it was
// permitted stays in force. One that is added and not Optional, or was Optional so far, has
// SubscriberConfig.Stale to answer before Mode says that it is silent; nobody new is admitted until it has,
// but with KeepPlaying.
func (s *Subscriber) Trust(t ...Trusted) error {
	for i := range t {
		if err := t[i].check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(s.trusted)
	for i := range t {
		all[IDOf(t[i].Key)] = true
	}
	if len(all) > maxTrusted {
		return badConfig("Trusted has more than %d publishers", maxTrusted)
	}
	s.trusted = all
	s.trust = append(s.trust, t...)
	return nil
}

// Authorize returns a session.Config.Authorize that asks next. While the knowledge is stale, or the
// sink does not hold all of it, and Mode is not KeepPlaying, it refuses new sessions as
// unavailable; renewals and resumptions go on. With a nil next it only compares scopes, as a server
// without Authorize does.
func (s *Subscriber) Authorize(next func(*session.Admission) error) func(*session.Admission) error {
	return func(a *session.Admission) error {
		if a.Why == session.Opening && s.config.Mode != KeepPlaying {
			if v := s.view.Load(); v.full || v.stale(time.Now(), s.config.Stale) {
				return session.Refusal(session.ReasonUnavailable)
			}
		}
		if next != nil {
			return next(a)
		}
		if !a.ScopeAgrees() {
			return session.Refusal(session.ReasonScope)
		}
		return nil
	}
}

// WaitWhole returns nil once everything that publishers which are not Optional have published is in
// force, or ctx's error. Run has to run meanwhile.
func (s *Subscriber) WaitWhole(ctx context.Context) error {
	for {
		if v := s.view.Load(); !v.full && !v.stale(time.Now(), s.config.Stale) {
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Run receives and applies until ctx is done, and returns ctx's error, or one that matches ErrConfig
// if the carrier does not subscribe. Call it once.
func (s *Subscriber) Run(ctx context.Context) error {
	stop, err := s.config.Carrier.Subscribe(TopicLive, s.inbox.put)
	if err != nil {
		return badConfig("Carrier does not subscribe: %v", err)
	}
	defer stop()
	if own := s.config.Own; own != nil {
		put := s.inbox.put
		own.local.Store(&put)
		defer own.local.Store(nil)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	c := newCore(s.config, time.Now(), func(b []byte) { _, _ = rand.Read(b) })
	stored := make(chan fromStore, 16)
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		now := time.Now()
		s.turn(ctx, &wg, c, now, stored)
		s.view.Store(c.view())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-s.inbox.wake:
			for _, m := range s.inbox.take() {
				c.receive(time.Now(), m)
			}
			c.counts.Overflow = s.inbox.lost()
		case m := <-stored:
			if m.done {
				c.loaded(time.Now(), m.publisher, m.err)
			} else {
				c.receive(time.Now(), m.message)
			}
		}
	}
}

// turn does what is due.
func (s *Subscriber) turn(ctx context.Context, wg *sync.WaitGroup, c *core, now time.Time, stored chan fromStore) {
	s.mu.Lock()
	trust := s.trust
	s.trust = nil
	s.mu.Unlock()
	for _, t := range trust {
		c.trust(now, t)
	}
	c.tick(now)
	if m := c.ask(now); m != nil {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, publishTimeout)
			defer cancel()
			_ = s.config.Carrier.Publish(ctx, TopicAsk, m) // asked again if nobody answers
		})
	}
	for _, l := range c.loads(now) {
		wg.Go(func() { s.load(ctx, l, stored) })
	}
}

// fromStore is a stored message, or the end of a load.
type fromStore struct {
	publisher PublisherID
	message   []byte
	done      bool
	err       error
}

// load hands what the carrier has stored to Run's loop.
func (s *Subscriber) load(ctx context.Context, l loading, stored chan<- fromStore) {
	give := func(m fromStore) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case stored <- m:
			return nil
		}
	}
	limited, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	each := func(m []byte) error { return give(fromStore{publisher: l.publisher, message: slices.Clone(m)}) }
	var err error
	if own := s.config.Own; own != nil && own.id == l.publisher {
		err = own.segments(l.from, each)
	} else {
		err = s.config.Carrier.Load(limited, l.publisher, l.from, func(_ StateKey, m []byte) error { return each(m) })
	}
	_ = give(fromStore{publisher: l.publisher, done: true, err: err})
}
