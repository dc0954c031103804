package sidecar

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// ErrConfig is matched by every error about a Config. The text names the field.
var ErrConfig = errors.New("sidecar: bad configuration")

// Config says where the game is. The zero value works.
type Config struct {
	// Game is where the game listens, Own where the sidecar does: addresses of the loopback interface, or
	// Unix datagram sockets such as unix:/run/sallyport/game.sock. Empty means DefaultGame and DefaultOwn.
	// The game may come and go; its address stays.
	Game, Own string

	// Mode has the permission bits of the sidecar's Unix socket. Zero means 0600: only processes of
	// the sidecar's user may send to it. A mode that lets everybody write is an error.
	Mode fs.FileMode

	// Silence is how long the game may be silent before it is considered gone. Zero means
	// DefaultSilence; less than 600 ms is an error.
	Silence time.Duration

	// Claims are the claims of identity tokens that the game is told, of those that token.Profile.Keep
	// names.
	Claims []string

	// Audit receives an alarm for each kind of fault in the game's datagrams, once a minute at most.
	// Nil means none.
	Audit audit.Sink

	// Log gets what an operator has to know. Nil means none.
	Log *slog.Logger
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the field.
func (c Config) WithDefaults() (Config, error) {
	switch {
	case c.Silence < 0 || c.Silence > 0 && c.Silence < minSilence:
		return c, badConfig("Silence must be at least %v, since the game is asked every %v", minSilence, aliveEvery)
	case c.Mode&^fs.ModePerm != 0 || c.Mode&0o002 != 0:
		return c, badConfig("Mode must be permission bits that do not let everybody write")
	}
	c.Game, c.Own = cmp.Or(c.Game, DefaultGame), cmp.Or(c.Own, DefaultOwn)
	c.Mode, c.Silence = cmp.Or(c.Mode, 0o600), cmp.Or(c.Silence, DefaultSilence)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
