package main

import (
	"context"
	"flag"

	"github.com/sallyport/sallyport/fleet/admin"
)

const statsHelp = `Stats shows what each server has done since it began.

  sallyport stats -server match-1:7781,match-2:7781
  sallyport stats -json | jq '.result.stats.drops'

The table has totals; -json has all counters by their labels, which docs/fleet.md 11 explains.
`

// stats is "stats".
func stats(ctx context.Context, c console, args []string) int {
	var s servers
	set := flag.NewFlagSet("sallyport stats", flag.ContinueOnError)
	if status, ok := s.parse(c, set, statsHelp, args, func() error { return nil }); !ok {
		return status
	}
	return ask(ctx, &s, "SESSIONS\tPEAK\tIN\tOUT\tDROPS\tREFUSED\tHANDSHAKES\tFAILED\tOVERFLOW\tDRAIN", func(st admin.Stats) []string {
		x := st.Stats
		return []string{row(x.Sessions, x.SessionsPeak, x.Received, x.Sent, sum(x.Drops), sum(x.Refusals),
			x.Handshakes.Completed, x.Handshakes.Failed, x.Socket.Overflow, st.Drain)}
	}, func(ctx context.Context, client *admin.Client) (admin.Stats, error) { return client.Stats(ctx) })
}

func sum(counters map[string]uint64) (n uint64) {
	for _, c := range counters {
		n += c
	}
	return n
}
