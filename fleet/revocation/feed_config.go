package revocation

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// FeedConfig configures a Feed. Carrier and Trusted are required, and so are Key and Dir unless the
// server publishes nothing.
type FeedConfig struct {
	// Carrier carries both ways. The Feed does not close it.
	Carrier Carrier

	// Trusted are the publishers that are believed: the central one, and the other match servers.
	// This server's own may be among them.
	Trusted []Trusted

	// Key and Dir are those of this server as a publisher, as in PublisherConfig, and Name is for the
	// log. Without a Key the server publishes nothing: what is used here can be used elsewhere.
	Key  SigningKey
	Dir  string
	Name string

	// TokenLife is as in PublisherConfig.
	TokenLife time.Duration

	// Stale, Mode and End are as in SubscriberConfig; but with EndSessions a nil End shuts the server
	// down, so that its players continue on another one by ticket.
	Stale time.Duration
	Mode  Mode
	End   func()

	// OnApplied is as in SubscriberConfig.
	OnApplied func(published time.Time)

	// Audit and Logger are as in SubscriberConfig and PublisherConfig.
	Audit  audit.Sink
	Logger *slog.Logger
}

func (c FeedConfig) publisher() PublisherConfig {
	return PublisherConfig{Name: c.Name, Key: c.Key, Dir: c.Dir, Carrier: c.Carrier, TokenLife: c.TokenLife, Logger: c.Logger}
}

func (c FeedConfig) subscriber(own *Publisher, sink Sink, end func()) SubscriberConfig {
	s := SubscriberConfig{
		Trusted: c.Trusted, Carrier: c.Carrier, Sink: sink, Own: own,
		Stale: c.Stale, Mode: c.Mode, Audit: c.Audit, Logger: c.Logger, End: c.End, OnApplied: c.OnApplied,
	}
	if c.Mode == EndSessions && c.End == nil {
		s.End = end
	}
	return s
}
