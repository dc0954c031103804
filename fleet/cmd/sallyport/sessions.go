package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
)

const sessionsHelp = `Sessions lists who plays on which server.

  sallyport sessions -server match-1:7781,match-2:7781
  sallyport sessions -subject alice -issuer https://id.example.com
  sallyport sessions -pseudonym 5f0c…                       by the name in an audit line (user.uid)
  sallyport sessions -scope match-7 -limit 0 -json | jq -r '.result.sessions[].session'

Players are shown by subject to a role that may read names, and by the pseudonym of the audit otherwise.
The name of a session, in the first column behind the server, is what kick, ban and revoke take as
-session; it stays the same on every connection and every server.
  RTT      the last round trip, "-" as long as none was measured
  LOST     datagrams of the player's that have not come, of those sent
  EXPIRES  in how long the session ends unless it is renewed
  DOUBT    step up: a fresh identity token is owed; flagged: conspicuous, and allowed
`

// sessions is "sessions".
func sessions(ctx context.Context, c console, args []string) int {
	var s servers
	var q admin.SessionQuery
	var name string
	limit := 100
	set := flag.NewFlagSet("sallyport sessions", flag.ContinueOnError)
	set.StringVar(&name, "session", "", "only the session with this `name`")
	set.StringVar(&q.Subject, "subject", "", "only of the player of this `name` at its issuer")
	set.StringVar(&q.Issuer, "issuer", "", "only of players of this `issuer`")
	set.StringVar(&q.Pseudonym, "pseudonym", "", "only of the player with this `name` in the audit")
	set.StringVar(&q.Scope, "scope", "", "only of this `match`")
	set.IntVar(&limit, "limit", limit, "at most so many of each server; 0 for all")
	if status, ok := s.parse(c, set, sessionsHelp, args, func() error {
		if name != "" && q != (admin.SessionQuery{}) {
			return errors.New("-session says which one already: leave out the others")
		}
		if limit < 0 {
			return errors.New("-limit must not be negative")
		}
		return checkSession(name)
	}); !ok {
		return status
	}
	return ask(ctx, &s, "SESSION\tPLAYER\tMATCH\tNETWORK\tRTT\tLOST\tEXPIRES\tDOUBT", sessionRows,
		func(ctx context.Context, client *admin.Client) (admin.Sessions, error) {
			if name == "" {
				return pages(ctx, client, q, limit)
			}
			one, err := client.Session(ctx, name)
			if p := new(admin.Problem); errors.As(err, &p) && p.Label() == "absent" {
				return admin.Sessions{Sessions: []admin.Session{}}, nil // it is on one server at most
			}
			return admin.Sessions{Sessions: []admin.Session{one}}, err
		})
}

// pageSize is how many sessions or bans are asked for at once.
const pageSize = 1000

// pages returns limit sessions, all for 0.
func pages(ctx context.Context, client *admin.Client, q admin.SessionQuery, limit int) (admin.Sessions, error) {
	all := admin.Sessions{Sessions: []admin.Session{}}
	for {
		if q.Limit = pageSize; limit > 0 {
			q.Limit = min(pageSize, limit-len(all.Sessions))
		}
		next, err := client.Sessions(ctx, q)
		if err != nil {
			return admin.Sessions{}, err
		}
		all.Sessions, all.Next = append(all.Sessions, next.Sessions...), next.Next
		if q.After = next.Next; next.Next == 0 || limit > 0 && len(all.Sessions) >= limit {
			return all, nil
		}
	}
}

func sessionRows(page admin.Sessions) (rows []string) {
	for _, s := range page.Sessions {
		player, rtt := s.Subject, "-"
		if player == "" {
			player = s.Pseudonym
		}
		if s.RTT > 0 {
			rtt = fmt.Sprintf("%.1f ms", s.RTT)
		}
		rows = append(rows, row(s.Session, player, s.Scope, s.Network, rtt, fmt.Sprintf("%d/%d", s.Lost, s.Received+s.Lost),
			time.Until(s.Expires).Round(time.Second), s.Doubt))
	}
	if page.Next != 0 {
		rows = append(rows, "…")
	}
	return rows
}
