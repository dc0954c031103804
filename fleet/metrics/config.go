package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// ErrConfig is matched by every error about a Config. The text names the field.
var ErrConfig = errors.New("metrics: bad configuration")

// Config says what is exported besides what the program reports. The zero value works.
type Config struct {
	// Revocations is the method Status of a revocation.Feed or Subscriber; nil means there is none.
	// It is called for each scrape, several at once.
	Revocations func() revocation.Status

	// Publisher is the method PublisherStats of a revocation.Feed, or Stats of a Publisher; nil means
	// that this process publishes nothing. It is called for each scrape, several at once.
	Publisher func() revocation.PublisherStats

	// Certificates are the certificates whose expiry is to be watched, at most 16, by what they are
	// for: "dtls", "spiffe". A name has lower-case letters, digits and underscores. The functions
	// return NotBefore and NotAfter of the one in use, or zero times if there is none; they are called
	// for each scrape, several at once.
	Certificates map[string]func() (notBefore, notAfter time.Time)

	// Sample is about how many players' lines are looked at in each round, and Every how long a round
	// is. Zero means 256, and 10 s; less than 1 s is an error. A round looks at each player's name
	// and at the statistics of the sample, in the turn of the player's shard: with 10,000 players
	// about a millisecond. The same players are looked at for a minute, so that loss is
	// that of the last round; then it is others' turn.
	Sample int
	Every  time.Duration

	// Exemplars puts the trace id of one exchange beside each bucket, for scrapers that ask for
	// OpenMetrics and store exemplars.
	Exemplars bool
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the field.
func (c Config) WithDefaults() (Config, error) {
	switch {
	case c.Sample < 0:
		return c, badConfig("Sample must not be negative")
	case c.Every < 0, c.Every > 0 && c.Every < minEvery:
		return c, badConfig("Every must be at least %v", minEvery)
	case len(c.Certificates) > maxCertificates:
		return c, badConfig("Certificates has more than %d entries", maxCertificates)
	}
	for name, validity := range c.Certificates {
		switch {
		case !certificateName.MatchString(name):
			return c, badConfig("Certificates has a name that is not of lower-case letters, digits and underscores, 32 at most")
		case validity == nil:
			return c, badConfig("Certificates[%q] is nil", name)
		}
	}
	c.Sample, c.Every = cmp.Or(c.Sample, defaultSample), cmp.Or(c.Every, defaultEvery)
	return c, nil
}

var certificateName = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
