package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
)

const revokeHelp = `Revoke withdraws trust: every session that it concerns ends with its next datagram, and tokens and
tickets that it concerns are refused from now on.

  sallyport revoke -subject alice -issuer https://id.example.com      all her tokens issued before now
  sallyport revoke -token 4f… -issuer https://id.example.com          one token, by its jti
  sallyport revoke -sign-in 81… -issuer https://id.example.com        all tokens of one sign-in
  sallyport revoke -key-id key-7 -issuer https://id.example.com       all that this key has signed: it leaked
  sallyport revoke -build 1.4.2                                       all clients that state this build
  sallyport revoke -session 00112233445566778899aabbccddeeff          one session

A player who is revoked by subject may sign in anew: to keep somebody out, ban. A match server's
revocations count there alone, so name all servers; or name the program that has the fleet's central
publisher, as -server login:7781 -server-role auth, where one call counts everywhere. To revoke twice
does no harm.
`

// revoke is "revoke".
func revoke(ctx context.Context, c console, args []string) int {
	var s servers
	var q admin.RevokeRequest
	var at string
	set := flag.NewFlagSet("sallyport revoke", flag.ContinueOnError)
	set.StringVar(&q.Session, "session", "", "`name` of a session")
	set.StringVar(&q.Subject, "subject", "", "`name` of a player at its issuer")
	set.StringVar(&q.TokenID, "token", "", "`id` (jti) of a token")
	set.StringVar(&q.SignIn, "sign-in", "", "`id` of a sign-in (origin_jti of Cognito, tid of Nakama)")
	set.StringVar(&q.KeyID, "key-id", "", "`id` (kid) of a key of the issuer")
	set.StringVar(&q.Build, "build", "", "`build` that clients state")
	set.StringVar(&q.Issuer, "issuer", "", "`issuer` of all but session and build; empty for the server's default")
	set.StringVar(&at, "time", "", "`when` trust was withdrawn, such as 2026-11-29T08:00:00Z, of a subject; tokens issued later are good")
	if status, ok := s.parse(c, set, revokeHelp, args, func() (err error) {
		given := 0
		for _, v := range []string{q.Session, q.Subject, q.TokenID, q.SignIn, q.KeyID, q.Build} {
			if v != "" {
				given++
			}
		}
		if given != 1 {
			return errors.New("give exactly one of -session, -subject, -token, -sign-in, -key-id and -build")
		}
		if at != "" {
			if q.Time, err = time.Parse(time.RFC3339, at); err != nil || q.Subject == "" {
				return errors.New("-time must be like 2026-11-29T08:00:00Z, and goes with -subject only")
			}
		}
		return checkSession(q.Session)
	}); !ok {
		return status
	}
	return ask(ctx, &s, "ENDED", endedRows, func(ctx context.Context, client *admin.Client) (admin.Ended, error) {
		return client.Revoke(ctx, q)
	})
}

func endedRows(e admin.Ended) []string { return []string{row(e.Ended)} }
