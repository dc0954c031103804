package natscarrier

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrConfig is matched by every error about a Config. The text names the field.
var ErrConfig = errors.New("natscarrier: bad configuration")

// ErrFull is matched by the error of Store and Delete when the stream has Config.MaxBytes. What was stored
// stays: nobody is un-revoked. Running servers hear of new revocations as before; a starting server waits
// for those that are not stored, and admits nobody new meanwhile (revocation.Mode). Give the central
// publisher a larger MaxBytes, and find out who stores that much. Each publisher then stores what is
// missing. A full cluster does not accept replacements of segments either.
var ErrFull = errors.New("natscarrier: the stream is full")

// Config configures a Carrier.
type Config struct {
	// Servers are the URLs of the NATS servers, such as "nats://nats-1:4222". One is enough to be
	// connected; name all of a cluster, since the next one is tried when one is gone.
	Servers []string

	// Name is this process's own name: 1 to 64 letters, digits, '-' and '_'. Everything that it sends
	// carries the name in its subject, so that NATS can restrict it to that.
	Name string

	// TLS is for mutual TLS with the servers; nil means none, which is for tests. The configuration
	// of package identity reads certificates anew for each connection.
	TLS *tls.Config

	// Options are further options of the connection, for example nats.UserCredentials. They are
	// applied after the carrier's own, which handle reconnecting: do not override those.
	Options []nats.Option

	// Prefix is what every subject begins with: 1 to 64 letters, digits, '-' and '_'. It keeps
	// fleets that share a NATS cluster apart. Empty means "sallyport".
	Prefix string

	// Stream is the name of the JetStream stream that holds the state. Empty means "SALLYPORT".
	Stream string

	// Replicas is how many servers hold the stream, 1 to 5, of a carrier that may create it: the
	// central publisher's, whose permissions allow that. Zero means that this carrier creates no
	// stream; negative is an error.
	Replicas int

	// Keep is how long the stream keeps a segment that its publisher has not stored again: the state
	// of match servers that are gone for good. Zero means 30 days; negative is an error.
	Keep time.Duration

	// MaxBytes bounds the stream on the disk of each server that holds it, all publishers together, for a
	// carrier that may create it. JetStream reserves that much, so max_file_store has to be more. What finds
	// no room is not stored, and nothing older is dropped for it: see ErrFull. Zero means 1 GiB, ten million
	// revocations; less than 1 MiB is an error.
	MaxBytes int64

	// Queue is how many received messages may wait for the subscriber. Zero means 4,096; negative is
	// an error. What exceeds it, or 64 MiB, is lost, and Log has a line; the subscriber notices by the
	// number of the next record and reads the stored state.
	Queue int

	// Log has a line when the connection is lost, and when it is back; and when the stream is full, and when
	// it stores again. Nil means none.
	Log *slog.Logger
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the field.
func (c Config) WithDefaults() (Config, error) {
	c.Prefix = cmp.Or(c.Prefix, "sallyport")
	c.Stream = cmp.Or(c.Stream, "SALLYPORT")
	c.Queue = cmp.Or(c.Queue, defaultQueue)
	c.Keep = cmp.Or(c.Keep, defaultKeep)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case len(c.Servers) == 0:
		return c, fmt.Errorf("%w: Servers: name one URL at least", ErrConfig)
	case !token(c.Name):
		return c, fmt.Errorf("%w: Name: only 1 to 64 letters, digits, '-' and '_'", ErrConfig)
	case !token(c.Prefix):
		return c, fmt.Errorf("%w: Prefix: only 1 to 64 letters, digits, '-' and '_'", ErrConfig)
	case !token(c.Stream):
		return c, fmt.Errorf("%w: Stream: only 1 to 64 letters, digits, '-' and '_'", ErrConfig)
	case c.Replicas < 0 || c.Replicas > maxReplicas:
		return c, fmt.Errorf("%w: Replicas: 0 to %d", ErrConfig, maxReplicas)
	case c.Keep < 0:
		return c, fmt.Errorf("%w: Keep: must not be negative", ErrConfig)
	case c.MaxBytes < minMaxBytes:
		return c, fmt.Errorf("%w: MaxBytes: %d at least", ErrConfig, minMaxBytes)
	case c.Queue < 0:
		return c, fmt.Errorf("%w: Queue: must not be negative", ErrConfig)
	}
	return c, nil
}

// token reports whether s can be one token of a subject, and of a permission: it has no wildcard and
// no dot.
func token(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}
