package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/gateway/agones"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// agonesFlags are those for a pod of Agones.
type agonesFlags struct {
	at            string // of the SDK server: a URL, or fromEnvironment; empty for none
	unallocated   bool
	within        time.Duration
	list, counter string
}

// fromEnvironment stands for the address that Agones has put into the environment.
const fromEnvironment = "env"

// standstill is how long the players' side may take for a turn until the server is not well.
const standstill = time.Second

func (f *agonesFlags) define(set *flag.FlagSet) {
	set.StringVar(&f.at, "agones", "", "`URL` of the SDK server of Agones beside, or "+fromEnvironment+" for that of the environment; empty means none")
	set.BoolVar(&f.unallocated, "agones-unallocated", false, "admit players to a server that nobody has allocated")
	set.DurationVar(&f.within, "agones-within", agones.DefaultWithin, "how long a drain may take; less than the pod's terminationGracePeriodSeconds")
	set.StringVar(&f.list, "agones-list", "", "`name` of the List in which Agones has the players' subjects")
	set.StringVar(&f.counter, "agones-counter", "", "`name` of the Counter in which it has their number")
}

func (f *agonesFlags) check() error {
	switch {
	case f.at == "" && (f.unallocated || f.list != "" || f.counter != "" || f.within != agones.DefaultWithin):
		return errors.New("-agones-unallocated, -agones-within, -agones-list and -agones-counter are for a pod of Agones: give -agones, too")
	case f.within <= 0 || f.within > 24*time.Hour:
		return fmt.Errorf("-agones-within %v: must be more than nothing, and 24h at most", f.within)
	}
	return nil
}

// admits is the rule of the GameServer's annotations, nil without -agones.
func (p *program) admits() func(*session.Admission) error {
	if p.flags.agones.at == "" {
		return nil
	}
	config := agones.RuleConfig{Unallocated: p.flags.agones.unallocated}
	if p.ring != nil {
		config.Keys = p.ring.IDs
	}
	p.rule = agones.NewRule(config)
	return p.rule.Authorize(nil)
}

// newAgent makes what keeps the server and its GameServer in step.
func (p *program) newAgent() error {
	f := &p.flags.agones
	if f.at == "" {
		return nil
	}
	at := f.at
	if at == fromEnvironment {
		at = agones.Address()
	}
	client, err := agones.NewClient(at)
	if err != nil {
		return fmt.Errorf("cannot use -agones: %w", err)
	}
	config := agones.AgentConfig{
		Client: client, Rule: p.rule, Well: p.well, Drain: p.sendAway, Within: f.within,
		List: f.list, Counter: f.counter, Log: p.log, Audit: p.sink,
	}
	if f.list != "" || f.counter != "" {
		config.Players = p.subjects
	}
	p.agent, err = agones.NewAgent(config)
	return err
}

// well returns nil while the game is there and the players' side has turns. A drain is well.
func (p *program) well() error {
	if err := p.game.Ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), standstill)
	defer cancel()
	return p.gateway.Server().Visit(ctx, func(*transport.Player) bool { return false })
}

// sendAway drains the server because its GameServer says so.
func (p *program) sendAway(ctx context.Context, to string) error {
	p.gateway.Drain()
	return agones.DrainServer(p.gateway.Server())(ctx, to)
}

// subjects are the players.
func (p *program) subjects() (all []string) {
	for player := range p.gateway.All {
		all = append(all, player.Session().Subject())
	}
	return all
}

// leaving returns a context that is done once ctx is, and the players have gone where the GameServer
// says, if it does: the pod gets SIGTERM as soon as it is deleted.
func (p *program) leaving(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.agent == nil {
		return context.WithCancel(ctx)
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		defer cancel()
		p.gateway.Drain()
		if err := p.agent.Leave(p.gateway.Server(), p.flags.agones.within); err != nil {
			p.log.Warn("players are left at the end", "error", err)
		}
	})
	return inner, func() { stop(); cancel() }
}
