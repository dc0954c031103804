package identity

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/sallyport/sallyport/audit"
)

// ErrConfig is matched by every error about a Config or a Policy. The text names the field.
var ErrConfig = errors.New("identity: bad configuration")

// Config says where a service gets its identity, and whom it believes. With SPIFFE_ENDPOINT_SOCKET
// set, or with Files, everything else may be zero. A zero value of a field means its default;
// negative ones are errors unless the field says otherwise.
type Config struct {
	// Socket is the address of a SPIFFE Workload API, such as unix:///run/spire/agent.sock. Empty
	// means the environment variable SPIFFE_ENDPOINT_SOCKET, or Files where that is empty, too.
	Socket string

	// Files are used where there is no Workload API.
	Files Files

	// ID is the SPIFFE id that this service has. Empty means that of the first certificate. A
	// certificate of another id is never used, so that no mistake gives a service the rights of
	// another one.
	ID string

	// Policy says what peers may do. It can be changed by Source.SetPolicy.
	Policy Policy

	// MaxLife is the longest life of a certificate, this service's or a peer's. Zero means 24 hours,
	// negative any. The tolerance of clocks is added to it.
	MaxLife time.Duration

	// Poll is the time between two looks at Files, and at the age of the certificate. Zero means 1 s.
	Poll time.Duration

	// Audit gets each decision about a peer and each change of this service's certificate. Nil means
	// none.
	Audit audit.Sink

	// Log gets what an operator has to know, with what to do about it. Nil means none.
	Log *slog.Logger
}

// Files are PEM files. Their writer may replace each by rename, or write it in place; an incomplete
// state is not used.
type Files struct {
	Certificate string // the service's, and those of intermediate authorities behind it
	Key         string // private key of it, PKCS #8; only the service may be able to read it
	Bundle      string // the trust domain's authorities
}

// WithDefaults returns c with its defaults in place of zero values.
func (c Config) WithDefaults() Config {
	if c.Socket == "" {
		c.Socket = os.Getenv(workloadapi.SocketEnv)
	}
	if c.MaxLife == 0 {
		c.MaxLife = defaultMaxLife
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Audit == nil {
		c.Audit = audit.Tee()
	}
	return c
}

// check returns the id that c asks for, zero if any will do.
func (c Config) check() (id spiffeid.ID, err error) {
	if c.Poll < 0 {
		return id, fmt.Errorf("%w: Poll is negative", ErrConfig)
	}
	if c.ID != "" {
		if id, err = spiffeid.FromString(c.ID); err != nil {
			return id, fmt.Errorf("%w: ID: %w", ErrConfig, err)
		}
	}
	if c.Socket != "" {
		if err := workloadapi.ValidateAddress(c.Socket); err != nil {
			return id, fmt.Errorf("%w: Socket: %w: write unix:///path/of/agent.sock", ErrConfig, err)
		}
		return id, nil
	}
	if c.Files.Certificate == "" || c.Files.Key == "" || c.Files.Bundle == "" {
		return id, fmt.Errorf("%w: Files: certificate, key and bundle are all needed where neither Socket nor %s names a Workload API",
			ErrConfig, workloadapi.SocketEnv)
	}
	return id, nil
}
