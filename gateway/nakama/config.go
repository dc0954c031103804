package nakama

import (
	"cmp"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// Config says where Nakama is and how players get in. URL, and either ServerKey or Sessions, are
// required.
type Config struct {
	// URL is Nakama's API, "http://127.0.0.1:7350". Session tokens travel there in clear: http is for
	// the same host, pod, or a network that encrypts; https is possible.
	URL string

	// ServerKey is Nakama's socket.server_key. With it the gateway signs in to Nakama, for each player
	// whose identity token it has verified, by custom authentication. It is no secret, since each
	// client of Nakama's API has it: see Secret.
	ServerKey string

	// Secret makes custom ids that nobody else can name, for a Nakama whose API players can reach: of
	// 16 bytes or more. Whoever knows the server key and the name that an identity provider has for a
	// player could otherwise sign in to Nakama as that player. With it the accounts are others than
	// those of package nakamabridge, and it must never change. Empty means the custom ids of
	// nakamabridge.
	Secret []byte

	// Sessions is set where players have signed in to Nakama themselves: their Nakama session tokens
	// are then their identity tokens. It has to be the Verifier of the gateway, too.
	Sessions *Sessions

	// Unreliable are op codes whose broadcasts may be lost although the match sends them as reliable,
	// which is what broadcastMessage of TypeScript and Lua does unless told otherwise: those that a
	// later broadcast replaces, as one with the state of the world does.
	Unreliable []int64

	// MaxInput is the longest input that is handed to Nakama, op code included, in bytes, at most
	// 65,536. Nakama ends the WebSocket of whoever sends more than its socket.max_message_size_bytes.
	// Zero means DefaultMaxInput.
	MaxInput int

	// Stay is how long a player whose WebSocket has broken, or who comes from another gateway, stays while
	// it is made again. Zero means DefaultStay; negative is an error. While Nakama is away it is the
	// gateway's Hold that counts.
	Stay time.Duration

	// Check is how often Nakama is asked whether a match still runs. Zero means DefaultCheck; negative
	// means never: then only the match's own messages tell players of its end.
	Check time.Duration

	// Dials is how many WebSockets and sign-ins are under way at once. Zero means DefaultDials; negative
	// is an error.
	Dials int

	// Audit receives a record of what Nakama and its matches decide about players; nil means that none
	// is kept.
	Audit audit.Sink

	// Log gets what an operator has to know. Nil means none.
	Log *slog.Logger
}

// withDefaults fills in zero values and refuses invalid ones.
func (c Config) withDefaults() (Config, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil:
		return c, badConfig("URL must be like http://127.0.0.1:7350")
	case (c.ServerKey == "") == (c.Sessions == nil):
		return c, badConfig("one of ServerKey and Sessions has to be set")
	case c.Sessions != nil && len(c.Secret) > 0, len(c.Secret) > 0 && len(c.Secret) < 16:
		return c, badConfig("Secret must have 16 bytes or more, and belongs to ServerKey")
	case c.MaxInput < 0 || c.MaxInput > 64<<10:
		return c, badConfig("MaxInput must be 0 to 65,536")
	case c.Stay < 0, c.Dials < 0:
		return c, badConfig("Stay and Dials must not be negative")
	}
	c.URL = strings.TrimSuffix(u.String(), "/")
	c.Unreliable, c.Secret = slices.Clone(c.Unreliable), slices.Clone(c.Secret)
	c.MaxInput, c.Dials = cmp.Or(c.MaxInput, DefaultMaxInput), cmp.Or(c.Dials, DefaultDials)
	c.Stay, c.Check = cmp.Or(c.Stay, DefaultStay), cmp.Or(c.Check, DefaultCheck)
	if c.Audit == nil {
		c.Audit = silent{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// clear reports whether tokens travel to another host without TLS.
func (c *Config) clear() bool {
	u, _ := url.Parse(c.URL) // as withDefaults has seen
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// silent is an audit.Sink that discards everything.
type silent struct{}

func (silent) Record(audit.Event) {}
