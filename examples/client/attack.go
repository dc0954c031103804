package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/internal/lab/attack"
	"github.com/sallyport/sallyport/netsim"
)

// honestPlayers is how many play by the rules during an attack, unless -players says so.
const honestPlayers = 5

// checkAttack checks -attack.
func (f *flags) checkAttack() error {
	c, im := &f.config, &f.config.Impairment
	switch {
	case f.attack == "":
		return nil
	case !slices.Contains(attack.Names(), f.attack):
		return fmt.Errorf("-attack %q: must be one of %s", f.attack, strings.Join(attack.Names(), ", "))
	case f.tokenFile != "" || f.signIn.given():
		return errors.New("-attack needs tokens for whomever it likes: use the server in this process, or -dev-file")
	case f.attack == "stall" && f.connect != "":
		return errors.New("-attack stall makes the server hang: leave out -connect, for the server in this process")
	case *im != (netsim.Impairment{}) || c.Churn > 0:
		return errors.New("-attack counts what the server drops: leave out -loss, -latency, -bandwidth, -reorder, -duplicate and -churn")
	}
	if !f.playersGiven {
		c.Players = honestPlayers
	}
	return nil
}
