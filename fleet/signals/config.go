package signals

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/token"
)

// ErrConfig is matched by errors about a Config or PollConfig. The text names the field.
var ErrConfig = errors.New("signals: bad configuration")

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// Publisher stores and publishes revocations. A *revocation.Publisher does.
type Publisher interface {
	// Append returns without an error once the records would survive a crash.
	Append(records ...revocation.Record) ([]revocation.Record, error)
}

// Config configures a Receiver. Transmitters and Publisher are required.
type Config struct {
	Transmitters []Transmitter
	Publisher    Publisher

	Window int // SETs that are remembered by their jti. Zero means DefaultWindow; negative is an error
	Rate   int // SETs a second of one transmitter, but for repetitions. Zero means DefaultRate; negative is an error
	Burst  int // SETs at once of one transmitter. Zero means DefaultBurst; negative is an error
	AtOnce int // SETs that are verified at once. Zero means DefaultAtOnce; negative is an error

	Log   *slog.Logger // nil for none
	Audit audit.Sink   // nil for none
}

// Transmitter is an identity provider that is believed, as the operator describes it.
type Transmitter struct {
	// Profile has the rules for its SETs: Issuer, Audience, Algorithm, Keys, Leeway; see
	// token.NewEventVerifier.
	Profile token.Profile

	// Players maps the issuers that it may speak of, as iss in a subject, to their names in sessions,
	// token.Claims.Issuer. Nil means only its own, under Profile.Name.
	Players map[string]string

	// Opaque is the issuer, as in sessions, of subjects of format opaque. Empty means that they are
	// refused.
	Opaque string

	// Map, if set, returns the player that a subject of another format names. If ok is false the
	// subject is no player of ours: the event is acknowledged. It must not block for long, and is
	// called concurrently.
	Map func(Subject) (issuer, subject string, ok bool)

	// Sessions says that a session id in a subject is the sign-in id of tokens (token.Claims.SignIn):
	// an event that names one ends only that sign-in. Without it such an event ends all of the
	// player's sign-ins, if it names the player.
	Sessions bool

	// Authorization is what the header Authorization of a push must be, such as "Bearer " and a
	// secret. Empty means that the signature suffices.
	Authorization Secret
}

// Secret is a text that fmt, log/slog and encoders cannot reach.
type Secret struct{ text func() string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

// opens reports whether text is the secret, or there is none.
func (s Secret) opens(text string) bool {
	want := s.reveal()
	return want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(text)) == 1
}

// WithDefaults returns c with its zero values filled in. Errors match ErrConfig.
func (c Config) WithDefaults() (Config, error) {
	for _, d := range []struct {
		field *int
		value int
		name  string
	}{{&c.Window, DefaultWindow, "Window"}, {&c.Rate, DefaultRate, "Rate"}, {&c.Burst, DefaultBurst, "Burst"}, {&c.AtOnce, DefaultAtOnce, "AtOnce"}} {
		switch {
		case *d.field == 0:
			*d.field = d.value
		case *d.field < 0:
			return c, badConfig("%s must not be negative", d.name)
		}
	}
	switch {
	case len(c.Transmitters) == 0:
		return c, badConfig("Transmitters is missing")
	case c.Publisher == nil:
		return c, badConfig("Publisher is missing")
	}
	return c, nil
}
