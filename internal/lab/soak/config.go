package soak

import (
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/simnet"
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

	// At most one of these, in the middle of play and without Churn.
	Migrate  bool          // every player goes on from another socket
	Blackout time.Duration // every player's socket loses everything for so long; zero means never
	Replace  bool          // another process takes the server's place; Match.Replace must be there

	// Hang is how long somebody makes the server hang in the middle of play: inputs that its socket has no room for
	// meanwhile count as missed. It must be shorter than Duration.
	Hang time.Duration

	Impairment simnet.Impairment // of each player's own socket, in both directions
	Seed       uint64            // what impairment, steering and churn draw from

	Progress io.Writer // takes a line a second that overwrites the one before; nil means none
}

// TokenLife is how long an identity token is to be good; zero leaves it to the issuer. With Renew, a run of at least as
// long sees each player's token replaced: a client renews when two thirds of a life are over. Joining takes about ten
// times the latency, and so does a renewal with its repeats; a token must outlive a blackout.
func (c *Config) TokenLife() time.Duration {
	if !c.Renew {
		return 0
	}
	life := min(max(c.Duration*2/5, 3*time.Second), 6*time.Second) + 20*c.Impairment.Latency + c.Blackout
	return life.Truncate(time.Second)
}

// impaired reports whether anything but delay happens to datagrams.
func (c *Config) impaired() bool {
	im := c.Impairment
	return im.Loss > 0 || im.Duplicate > 0 || im.Reorder > 0
}
