package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
)

const banHelp = `Ban keeps a player out, with whatever token, and ends the player's sessions.

  sallyport ban -subject alice -issuer https://id.example.com -for 24h -note spam
  sallyport ban -subject alice -issuer https://id.example.com            until it is lifted
  sallyport ban -session 00112233445566778899aabbccddeeff -for 1h        the player of a live session

Of several bans of a player the one that lasts longest holds; to ban twice does no harm. By -session the
player is banned where the session lives. Whether that server tells the others is the fleet's
configuration (package fleet/revocation); if it does not, name all servers and give -subject.
`

// targetFlags adds the flags that say whom a ban or a kick is about.
func targetFlags(set *flag.FlagSet, t *admin.Target) {
	set.StringVar(&t.Session, "session", "", "`name` of a live session")
	set.StringVar(&t.Subject, "subject", "", "`name` of the player at its issuer")
	set.StringVar(&t.Issuer, "issuer", "", "`issuer` of the player's tokens; empty for the server's default")
}

func checkTarget(t admin.Target) error {
	switch {
	case (t.Session == "") == (t.Subject == ""):
		return errors.New("give either -session or -subject")
	case t.Session != "" && t.Issuer != "":
		return errors.New("-issuer goes with -subject only")
	}
	return checkSession(t.Session)
}

// checkSession checks a -session, which may be missing.
func checkSession(name string) error {
	if b, err := hex.DecodeString(name); name != "" && (err != nil || len(b) != 16 || strings.ToLower(name) != name) {
		return errors.New(`-session is the name of a session, 32 hexadecimal digits in small letters, as "sessions" lists it`)
	}
	return nil
}

// ban is "ban".
func ban(ctx context.Context, c console, args []string) int {
	var s servers
	var q admin.BanRequest
	var long time.Duration
	var until string
	var reason uint
	set := flag.NewFlagSet("sallyport ban", flag.ContinueOnError)
	targetFlags(set, &q.Target)
	set.DurationVar(&long, "for", 0, "how long the ban holds; 0 until it is lifted")
	set.StringVar(&until, "until", "", "`when` it is over, such as 2026-11-29T08:00:00Z")
	set.UintVar(&reason, "reason", 0, "what the player is told: 3, 8, 9, 13, 19, or 128 to 255; 0 for 13, revoked")
	set.StringVar(&q.Note, "note", "", "`why`, for the audit and the list of bans, at most 64 bytes; it should name nobody")
	if status, ok := s.parse(c, set, banHelp, args, func() (err error) {
		switch {
		case long < 0 || long > 0 && until != "":
			return errors.New("give either -for, which must not be negative, or -until")
		case reason > 255 || reason < 128 && !slices.Contains([]uint{0, 3, 8, 9, 13, 19}, reason):
			return errors.New("-reason is 3, 8, 9, 13, 19 or from 128 to 255")
		case len(q.Note) > 64:
			return errors.New("-note has at most 64 bytes")
		case long > 0:
			q.For = long.String()
		case until != "":
			if q.Until, err = time.Parse(time.RFC3339, until); err != nil {
				return errors.New("-until must be like 2026-11-29T08:00:00Z")
			}
		}
		q.Reason = uint8(reason)
		return checkTarget(q.Target)
	}); !ok {
		return status
	}
	if !s.connect(ctx) {
		return exitUsage
	}
	defer s.close()
	answers := each(ctx, &s, func(ctx context.Context, client *admin.Client) (admin.Ended, error) { return client.Ban(ctx, q) })
	return showAnswers(ctx, &s, "ENDED", endedRows, elsewhere(answers))
}

// elsewhere leaves out the servers on which a session is not live, unless it is live on none.
func elsewhere[T any](answers []answer[T]) (left []answer[T]) {
	for _, a := range answers {
		if p := new(admin.Problem); !errors.As(a.err, &p) || p.Label() != "absent" {
			left = append(left, a)
		}
	}
	if len(left) == 0 {
		return answers
	}
	return left
}

const bansHelp = `Bans lists the bans in force, those that end first before others.

  sallyport bans
  sallyport bans -subject alice
  sallyport bans -limit 0 -json | jq -r '.result.bans[].pseudonym'

PLAYER is "-" for a ban that another process of the server has left: a snapshot has no names.
`

// bans is "bans".
func bans(ctx context.Context, c console, args []string) int {
	var s servers
	var q admin.BanQuery
	limit := 100
	set := flag.NewFlagSet("sallyport bans", flag.ContinueOnError)
	set.StringVar(&q.Subject, "subject", "", "only of the player of this `name` at its issuer")
	set.StringVar(&q.Issuer, "issuer", "", "only of players of this `issuer`")
	set.StringVar(&q.Pseudonym, "pseudonym", "", "only of the player with this `name` in the audit")
	set.IntVar(&limit, "limit", limit, "at most so many of each server; 0 for all")
	if status, ok := s.parse(c, set, bansHelp, args, func() error {
		if limit < 0 {
			return errors.New("-limit must not be negative")
		}
		return nil
	}); !ok {
		return status
	}
	return ask(ctx, &s, "PLAYER\tISSUER\tUNTIL\tREASON\tNOTE", banRows,
		func(ctx context.Context, client *admin.Client) (admin.Bans, error) {
			return banPages(ctx, client, q, limit)
		})
}

// banPages returns limit bans, all for 0.
func banPages(ctx context.Context, client *admin.Client, q admin.BanQuery, limit int) (admin.Bans, error) {
	all := admin.Bans{Bans: []admin.Ban{}}
	for {
		if q.Limit = pageSize; limit > 0 {
			q.Limit = min(pageSize, limit-len(all.Bans))
		}
		next, err := client.Bans(ctx, q)
		if err != nil {
			return admin.Bans{}, err
		}
		all.Bans, all.Next = append(all.Bans, next.Bans...), next.Next
		if q.After = next.Next; next.Next == "" || limit > 0 && len(all.Bans) >= limit {
			return all, nil
		}
	}
}

func banRows(b admin.Bans) (rows []string) {
	for _, x := range b.Bans {
		player, until := x.Subject, "lifted"
		if player == "" {
			player = x.Pseudonym
		}
		if !x.Until.IsZero() {
			until = x.Until.Format(time.RFC3339)
		}
		rows = append(rows, row(player, x.Issuer, until, x.Says, x.Note))
	}
	if b.Next != "" {
		rows = append(rows, "…")
	}
	return rows
}

const liftHelp = `Lift ends a ban before its time.

  sallyport lift -subject alice -issuer https://id.example.com

The player may join again with an identity token; sessions that the ban has ended stay ended. To lift what is
no ban does no harm: LIFTED is then false.
`

// lift is "lift".
func lift(ctx context.Context, c console, args []string) int {
	var s servers
	var subject, issuer string
	set := flag.NewFlagSet("sallyport lift", flag.ContinueOnError)
	set.StringVar(&subject, "subject", "", "`name` of the player at its issuer")
	set.StringVar(&issuer, "issuer", "", "`issuer` of the player's tokens; empty for the server's default")
	if status, ok := s.parse(c, set, liftHelp, args, func() error {
		if subject == "" {
			return errors.New("-subject is missing: say whose ban is to end")
		}
		return nil
	}); !ok {
		return status
	}
	return ask(ctx, &s, "LIFTED", func(l admin.Lifted) []string { return []string{row(l.Lifted)} },
		func(ctx context.Context, client *admin.Client) (admin.Lifted, error) {
			return client.Lift(ctx, issuer, subject)
		})
}
