package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/session"
)

// defineTurns defines the flags that say what happens in the middle of play.
func (f *flags) defineTurns(set *flag.FlagSet) {
	c := &f.config
	set.BoolVar(&c.Migrate, "migrate", false, "in the middle of play, every player goes on from another socket")
	set.DurationVar(&c.Blackout, "blackout", 0, "in the middle of play, nothing gets through either way for that `time`")
	set.BoolVar(&c.Replace, "restart-server", false, "in the middle of play, another process takes the server's place")
}

// checkTurns checks them, and lets play last long enough unless -duration says how long.
func (f *flags) checkTurns() error {
	c, im := &f.config, &f.config.Impairment
	chosen := 0
	for _, given := range []bool{c.Migrate, c.Blackout != 0, c.Replace} {
		if given {
			chosen++
		}
	}
	least := c.Least()
	switch {
	case chosen == 0:
		return nil
	case chosen > 1:
		return errors.New("-migrate, -blackout and -restart-server are told apart by what they do to players: choose one")
	case c.Blackout < 0 || c.Blackout >= session.DefaultIdle:
		return fmt.Errorf("-blackout %v: must be more than nothing and less than %v, after which a server takes a player for gone",
			c.Blackout, session.DefaultIdle)
	case c.Churn > 0:
		return errors.New("-migrate, -blackout and -restart-server want every player to be there and to stay: leave out -churn")
	case f.attack != "":
		return errors.New("-attack wants honest players to whom nothing happens: leave out -migrate, -blackout and -restart-server")
	case c.Replace && f.connect != "":
		return errors.New("-restart-server is for the server of this program: leave out -connect, and restart the one there by hand")
	case c.Replace && c.Bearer:
		return errors.New("-restart-server: a session with the token in every datagram is not handed on: leave out -bearer")
	case c.Replace && im.Reorder > 0:
		return errors.New("-restart-server tells by the order of inputs which ones nobody was there for: leave out -reorder")
	case !f.durationGiven:
		c.Duration = max(c.Duration, least+2*time.Second)
	case c.Duration <= least && c.Blackout > 0:
		return fmt.Errorf("-duration %v: must be more than %v, the blackout and %v around it: lengthen it, or leave it out",
			c.Duration, least, least-c.Blackout)
	case c.Duration <= least:
		return fmt.Errorf("-duration %v: must be more than %v, for play before and after too: lengthen it, or leave it out", c.Duration, least)
	}
	return nil
}
