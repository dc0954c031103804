package endurance

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/internal/lab/attack"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/token"
)

// group is players who do the same, in teams that begin one after the other.
type group struct {
	name  string
	share float64 // of all players; zero for attackers, who are few
	play  func(r *run, g *Group, team, players int)
}

var groups = []group{
	{"steady", 0.55, func(r *run, g *Group, team, players int) {
		r.soak(g, team, 1, soak.Config{Players: players, Rate: 5, Churn: 0.01, Duration: time.Until(r.over)})
	}},
	{"impaired", 0.25, rounds(soak.Config{Rate: 10, Churn: 0.02, Renew: true, Life: tokenLife, Impairment: netsim.Impairment{
		Loss: 0.05, Latency: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Reorder: 0.05, Duplicate: 0.02,
	}})},
	{"moving", 0.1, rounds(soak.Config{Rate: 10, Migrate: true})},
	{"dark", 0.1, rounds(soak.Config{Rate: 10, Blackout: blackout})},
	{"hostile", 0, attacks},
}

// teams are the sizes of a group's teams.
func (g *group) teams(players int) []int {
	if g.share == 0 {
		return []int{beside}
	}
	left := int(g.share * float64(players))
	var sizes []int
	for n := (left + teamSize - 1) / teamSize; n > 0; n-- {
		size := left / n
		sizes, left = append(sizes, size), left-size
	}
	return sizes
}

// rounds plays with a configuration as long as there is time for another round.
func rounds(config soak.Config) func(r *run, g *Group, team, players int) {
	return func(r *run, g *Group, team, players int) {
		config := config
		config.Players = players
		config.Duration = max(roundTime, config.Least(), config.TokenLife())
		for number := 1; r.time(config.Duration); number++ {
			r.soak(g, team, number, config)
		}
	}
}

// attacks attacks as long as there is time, in all ways that need no access to the server's process.
func attacks(r *run, g *Group, team, players int) {
	for number := 1; ; {
		for _, name := range attack.Names() {
			if name == "stall" {
				continue
			}
			if !r.time(attackTime) {
				return
			}
			report := attack.Run(r.ctx, attack.Config{Attack: name, Honest: soak.Config{
				Players: players, Rate: besideRate, Payload: payload, Duration: 5 * time.Second, Seed: r.config.Seed,
			}}, r.target(g, team, number))
			r.note(g, team, number, report.Honest, report.Failures)
			number++
		}
	}
}

// payload is the length of an input in bytes.
const payload = 64

// soak plays one round.
func (r *run) soak(g *Group, team, number int, config soak.Config) {
	config.Payload, config.Seed = payload, r.config.Seed+uint64(team)<<32+uint64(number)
	report := soak.Run(r.ctx, config, r.target(g, team, number))
	r.note(g, team, number, report, report.Failures)
}

// target is the server for one round of a team: nobody in it has played before. What the server
// drops meanwhile may be another group's doing, and is not held against this one.
func (r *run) target(g *Group, team, number int) soak.Match {
	m := r.match
	mint := m.Mint
	m.Mint = func(ctx context.Context, grant token.Grant) ([]byte, error) {
		grant.Subject = fmt.Sprintf("%s-%s-%d-%d", grant.Subject, g.Name, team, number)
		grant.Life = cmp.Or(grant.Life, usualLife)
		return mint(ctx, grant)
	}
	m = m.Minting(m.Mint)
	if g.Name != "hostile" {
		m.Stats = nil
	}
	return m
}

// time reports whether a round of such a length ends in time.
func (r *run) time(d time.Duration) bool {
	return r.ctx.Err() == nil && time.Until(r.over) >= d+rest
}
