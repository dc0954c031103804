package revocation

import (
	"cmp"
	"crypto/ed25519"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// SubscriberConfig configures a Subscriber. Trusted, Carrier and Sink are required.
type SubscriberConfig struct {
	// Trusted are the publishers that are believed, at most 1,024 with those that Trust adds.
	Trusted []Trusted

	// Carrier gives what was published.
	Carrier Carrier

	// Sink is where records take effect.
	Sink Sink

	// Own is the publisher of this process, if it has one. It is believed even if Trusted leaves it
	// out, and what it publishes is in force here at once, without the carrier.
	Own *Publisher

	// Stale is how old the newest word of a publisher may be before Mode applies. Zero means 15 s;
	// less than 3 s is an error.
	Stale time.Duration

	// Mode is what happens then. With EndSessions, End is called once each time that this begins, on a
	// goroutine of its own; it has to end the sessions of this server. After this process has stood still,
	// as on a machine that is suspended, that takes another Stale, and so it does for a publisher that Trust
	// has added.
	Mode Mode
	End  func()

	// OnApplied, if set, is called for each record of another process that has come into force, with
	// the time of its publication, corrected for what is known of the publisher's clock: for a metric
	// of the delay. It is called on Run's goroutine, also while history is read at the start, and must
	// not block.
	OnApplied func(published time.Time)

	// Audit, if set, gets an alarm for each change, and Logger what an operator should know.
	Audit  audit.Sink
	Logger *slog.Logger
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c SubscriberConfig) WithDefaults() (SubscriberConfig, error) {
	switch {
	case len(c.Trusted) == 0:
		return c, badConfig("Trusted is empty: give the publishers' names and public keys")
	case len(c.Trusted) > maxTrusted:
		return c, badConfig("Trusted has more than %d publishers", maxTrusted)
	case c.Carrier == nil:
		return c, badConfig("Carrier is missing")
	case c.Sink == nil:
		return c, badConfig("Sink is missing: give the transport.Server")
	case c.Stale != 0 && c.Stale < minStale:
		return c, badConfig("Stale must be at least %v", minStale)
	case c.Mode > EndSessions:
		return c, badConfig("Mode is none")
	case (c.Mode == EndSessions) != (c.End != nil):
		return c, badConfig("End belongs to Mode EndSessions: set both or none")
	}
	for _, t := range c.Trusted {
		if err := t.check(); err != nil {
			return c, err
		}
	}
	if c.Own != nil && !slices.ContainsFunc(c.Trusted, func(t Trusted) bool { return IDOf(t.Key) == c.Own.id }) {
		own := Trusted{Name: cmp.Or(c.Own.config.Name, "this server"), Key: c.Own.config.Key.Public(), Kinds: AllKinds, LiftAny: true, Optional: true}
		c.Trusted = append(c.Trusted[:len(c.Trusted):len(c.Trusted)], own)
	}
	c.Stale = cmp.Or(c.Stale, DefaultStale)
	if c.Audit == nil {
		c.Audit = audit.Tee()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func (t *Trusted) check() error {
	switch {
	case t.Name == "" || len(t.Name) > maxName:
		return badConfig("Trusted.Name must have 1 to %d bytes", maxName)
	case len(t.Key) != ed25519.PublicKeySize:
		return badConfig("Trusted.Key of %q must be an Ed25519 public key", t.Name)
	case t.Kinds&AllKinds == 0:
		return badConfig("Trusted.Kinds of %q is empty: see AllKinds and ServerKinds", t.Name)
	}
	return nil
}
