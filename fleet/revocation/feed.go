package revocation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Feed joins one match server to the fleet's revocations: what trusted publishers say is in force on
// the server, and what is used up or decided on the server is published.
//
//	feed, err := revocation.NewFeed(revocation.FeedConfig{
//		Carrier: carrier, Trusted: trusted, Key: key, Dir: "/var/lib/match/revocations",
//	})
//	server, err := transport.Listen(":7777", feed.Transport(config))
//	go feed.Run(ctx, server)
//	err = server.Serve(handler)
//
// Until everything that the publishers have published is in force, the server admits nobody new: see
// Mode. A Feed's methods are safe for concurrent use.
type Feed struct {
	config     FeedConfig // set by NewFeed, constant afterwards
	publisher  *Publisher // likewise; nil without a Key
	subscriber *Subscriber
	sink       *lateSink

	mu sync.Mutex
	// +checklocks:mu
	end context.CancelFunc // ends Run; nil before it
	// +checklocks:mu
	closed bool          // by Close
	over   chan struct{} // closed when Run has returned
}

// NewFeed opens the publisher's store and returns a Feed, for one server. If no server can be made for it,
// call Close: until then no other process can open the store. Errors match ErrConfig or ErrStore.
func NewFeed(config FeedConfig) (f *Feed, err error) {
	f = &Feed{config: config, sink: newLateSink(), over: make(chan struct{})}
	if config.Key.signer != nil {
		if f.publisher, err = OpenPublisher(config.publisher()); err != nil {
			return nil, err
		}
	}
	f.subscriber, err = NewSubscriber(config.subscriber(f.publisher, f.sink, f.shutdown))
	if err != nil && f.publisher != nil {
		err = errors.Join(err, f.publisher.Close())
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Transport returns the configuration of the server that the Feed is for: what c says, with
// Session.Authorize and Session.OnUsed extended by the Feed's part.
func (f *Feed) Transport(c transport.Config) transport.Config {
	c.Session.Authorize = f.subscriber.Authorize(c.Session.Authorize)
	if f.publisher != nil {
		next := c.Session.OnUsed
		c.Session.OnUsed = func(u session.Used) {
			f.publisher.Enqueue(UsedRecord(u))
			if next != nil {
				next(u)
			}
		}
	}
	return c
}

// Run feeds the server until ctx is done, or Close is called, and then publishes what is left, closes the
// publisher's store and returns ctx's error, context.Canceled after Close. Call it once, after
// transport.Listen and before players come. After Close it returns ErrClosed.
func (f *Feed) Run(ctx context.Context, s *transport.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !f.begin(cancel) {
		return ErrClosed
	}
	defer close(f.over)
	f.sink.set(s)
	if f.publisher == nil {
		return f.subscriber.Run(ctx)
	}
	var wg sync.WaitGroup
	var published error
	wg.Go(func() { published = f.publisher.Run(ctx) })
	err := f.subscriber.Run(ctx)
	wg.Wait()
	if errors.Is(published, ErrSuperseded) {
		err = errors.Join(err, published)
	}
	return errors.Join(err, f.publisher.Close())
}

// begin notes how Run ends, unless the Feed is closed.
func (f *Feed) begin(end context.CancelFunc) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.end = end
	return true
}

// Close ends Run, and returns when it has returned. If the Feed has not run, Close publishes what is
// queued, if the carrier is connected, and closes the store; the error is that of the store. A second call
// does nothing more.
func (f *Feed) Close() error {
	f.mu.Lock()
	f.closed = true
	end := f.end
	f.mu.Unlock()
	if end != nil {
		end()
		<-f.over
		return nil // Run has returned it
	}
	if f.publisher == nil {
		return nil
	}
	return f.publisher.Close()
}

// Status returns what is known now.
func (f *Feed) Status() Status { return f.subscriber.Status() }

// PublisherStats returns the counts of this server as a publisher; zero without a Key.
func (f *Feed) PublisherStats() PublisherStats {
	if f.publisher == nil {
		return PublisherStats{}
	}
	return f.publisher.Stats()
}

// Trust adds publishers, such as match servers that have joined the fleet; see Subscriber.Trust.
func (f *Feed) Trust(t ...Trusted) error { return f.subscriber.Trust(t...) }

// WaitWhole returns nil once everything that the publishers which are not Optional have published
// is in force, or ctx's error. A server that waits before it serves resumes nobody who was banned
// or revoked meanwhile.
func (f *Feed) WaitWhole(ctx context.Context) error { return f.subscriber.WaitWhole(ctx) }

// Ban bans a player here and on every server of the fleet, and returns how many sessions have ended
// here. When it returns without an error the ban is on the disk. Errors are those of
// Publisher.Append and of transport.Server.Ban; an invalid ban matches session.ErrBan.
func (f *Feed) Ban(b session.Ban) (ended int, err error) {
	<-f.sink.banning
	defer func() { f.sink.banning <- struct{}{} }()
	if f.publisher == nil {
		return 0, errNoKey
	}
	if _, err := f.publisher.Ban(b); err != nil {
		return 0, err
	}
	b.Everywhere = true
	return f.sink.Ban(b)
}

// Lift ends the bans of a player by this server's publisher, here and on every server of the fleet.
// A ban by another publisher stays in force, and so does a server's own (transport.Server.Ban).
// When Lift returns without an error the lift is on the disk.
func (f *Feed) Lift(issuer, subject string) error {
	if f.publisher == nil {
		return errNoKey
	}
	return f.publisher.Lift(issuer, subject)
}

// errNoKey is the error of a Feed that publishes nothing.
var errNoKey = badConfig("Key is missing: this server publishes nothing")

// shutdownTime is how long players have to be told that the server shuts down.
const shutdownTime = 5 * time.Second

// shutdown is the default of FeedConfig.End.
func (f *Feed) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if s := f.sink.server.Load(); s != nil {
		s.Shutdown(ctx) //nolint:errcheck // a server that is closed has no sessions
	}
}
