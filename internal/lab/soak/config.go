package soak

import (
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/netsim"
)

// Config says who plays, and how.
type Config struct {
	Players  int
	Rate     int           // inputs a second and player, 1 to MaxRate
	Payload  int           // bytes of an input, arena.InputLen to MaxPayload
	Duration time.Duration // of play
	Churn    float64       // share of the players that leaves and rejoins per second, 0 to 1
	Bearer   bool          // the identity token travels in every datagram
	Renew    bool          // tokens so short-lived that renewals happen
	Life     time.Duration // of those tokens; zero means what TokenLife chooses

	// At most one of these, in the middle of play and without Churn.
	Migrate  bool          // every player goes on from another socket
	Blackout time.Duration // every player's socket loses everything for so long; zero means never
	Replace  bool          // another process takes the server's place; Match.Replace must be there

	// Hang is how long somebody makes the server hang in the middle of play: inputs that its socket has no room for
	// meanwhile count as missed. It must be shorter than Duration.
	Hang time.Duration

	Impairment netsim.Impairment // of each player's own socket, in both directions
	Seed       uint64            // what impairment, steering and churn draw from

	KeyLog   io.Writer // takes the secrets of the players' connections, as that of transport.ClientConfig; nil means none
	Progress io.Writer // takes a line a second that overwrites the one before; nil means none
}

// TokenLife is how long an identity token is to be good; zero leaves it to the issuer. With Renew, a
// run of at least as long sees each player's token replaced: a client renews when two thirds of a
// life are over, and has the last third for it. Joining takes about ten times the latency, and so
// does a renewal with its repeats. A token outlives a blackout, and in a short run with one it is
// renewed about then.
func (c *Config) TokenLife() time.Duration {
	if !c.Renew || c.Life > 0 {
		return c.Life
	}
	extra, life := 20*c.delay()+c.Blackout, c.Duration
	if c.Blackout > 0 {
		life = c.Duration*2/5 + extra
	}
	life = min(max(life, 3*time.Second+extra), 6*time.Second+extra)
	return life.Truncate(time.Second)
}

// lanes reports whether the players ask for lanes. There are none in bearer mode.
func (c *Config) lanes() bool { return !c.Bearer && c.Rate <= maxLaneRate }

// narrow reports whether each player's line may be too narrow for what must arrive.
func (c *Config) narrow() bool { return c.Impairment.Bandwidth > 0 && c.Impairment.Bandwidth < narrow }

// bulkTime is how long the bulk on the last lane may take on each player's line, a player's other
// traffic included.
func (c *Config) bulkTime() time.Duration {
	if c.Impairment.Bandwidth == 0 {
		return 0
	}
	return 4 * 8 * arena.LevelLen * time.Second / time.Duration(c.Impairment.Bandwidth)
}

// impaired reports whether anything but delay happens to datagrams.
func (c *Config) impaired() bool {
	im := c.Impairment
	return im.Loss > 0 || im.Duplicate > 0 || im.Reorder > 0 || im.Bandwidth > 0
}

// delay is how long the impairment keeps a datagram at most, one way and reordering aside.
func (c *Config) delay() time.Duration {
	im, _ := c.Impairment.WithDefaults() // Impair reports the error
	return im.Latency + im.Jitter + im.Queue
}
