package main

import (
	"context"
	"errors"
	"flag"

	"github.com/sallyport/sallyport/fleet/admin"
)

const kickHelp = `Kick ends a session, or every session of a player, and tells the player why.

  sallyport kick -session 00112233445566778899aabbccddeeff -reason 130 -detail "away too long"
  sallyport kick -subject alice -issuer https://id.example.com

The player does not come back by ticket, but may join again with an identity token; to prevent that, ban.
ENDED is how many sessions that were on each server; 0 is no error.
`

// kick is "kick".
func kick(ctx context.Context, c console, args []string) int {
	var s servers
	var q admin.KickRequest
	reason := uint(3)
	set := flag.NewFlagSet("sallyport kick", flag.ContinueOnError)
	targetFlags(set, &q.Target)
	set.UintVar(&reason, "reason", reason, "what the player's client is told: 3, kicked, or from 128 to 255 a reason of the game's own")
	set.StringVar(&q.Detail, "detail", "", "`text` for the player's log, at most 64 bytes; it should name nobody")
	if status, ok := s.parse(c, set, kickHelp, args, func() error {
		switch {
		case reason != 3 && (reason < 128 || reason > 255):
			return errors.New("-reason is 3 or from 128 to 255")
		case len(q.Detail) > 64:
			return errors.New("-detail has at most 64 bytes")
		}
		q.Reason = uint8(reason)
		return checkTarget(q.Target)
	}); !ok {
		return status
	}
	return ask(ctx, &s, "ENDED", endedRows, func(ctx context.Context, client *admin.Client) (admin.Ended, error) {
		return client.Kick(ctx, q)
	})
}
