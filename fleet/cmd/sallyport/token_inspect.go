package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/show"
	cmdline "github.com/sallyport/sallyport/internal/lab/command"
)

const tokenInspectHelp = `Inspect says which of a server's checks an identity token passes and which it fails, and what the token
holds. It reads the token from standard input, or from a file; never from an argument, which everybody
on the machine can see. It never prints it.

  pbpaste | sallyport token inspect -issuer https://id.example.com -audience arena-eu -jwks https://id.example.com/jwks.json
  sallyport token inspect -issuer https://id.example.com -audience arena-eu -keys keys.pem token.txt
  sallyport token inspect -cognito-pool eu-central-1_AbCdEf123 -cognito-clients 1example23456789 token.txt
  sallyport token inspect -nakama-key session.key token.txt
  sallyport token inspect token.txt                    no rules: says what is in it, and verifies nothing

The rules are the server's flags (examples/server) and the fields of token.Profile. Checks stand in the
order in which a server makes them; it stops at the first that fails. A token that has expired, is not
valid yet or lives too long is judged further as if it were not so, so that one look shows all that is
wrong. Each failure has the label that the server's audit has for it: "unmapped.cause" is "token" and
that label, as in "token audience", but for "expired".

Claims that may say who the player is are shown by their kind and length, and in full with -personal.
What is in a token that is not good is what somebody claims.

A server also refuses a token that was used before, was revoked, belongs to another client certificate
(cnf), or is for another match (-scope): the token alone does not show the first three.

Exit status: 0 the token is good, 1 a check failed, or there were no rules to check it by; 2 a flag or a
file could not be used, 130 interrupted.

Flags:
`

// inspectFlags is the command line of "token inspect".
type inspectFlags struct {
	rules    tokenRules
	scope    string
	at       string
	personal bool
	asJSON   bool
	file     string

	now time.Time
}

func (f *inspectFlags) parse(c console, args []string) (status int, ok bool) {
	set := flag.NewFlagSet("sallyport token inspect", flag.ContinueOnError)
	f.rules.define(set)
	set.StringVar(&f.scope, "scope", "", "the `match` for which the token must be, as Claims.HasScope has it; empty: any")
	set.StringVar(&f.at, "at", "", "judge as of this `time` (2026-01-31T12:00:00Z) and not of now")
	set.BoolVar(&f.personal, "personal", false, "show claims that may say who the player is")
	set.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmdline.Parse(set, tokenInspectHelp, args, f.check, c.stdout, c.stderr)
}

// errArgument is a token in the place of a file. The token is not repeated.
var errArgument = errors.New("that argument is a token, and everybody on this machine can see arguments: give it by standard input or in a file, and have this one revoked if others use the machine")

// holdsToken reports whether an argument is a token, or has one in it, as "Bearer ey…" does. An error
// about a file of that name would print it.
func holdsToken(arg string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(arg, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'=:,;", r) }),
		func(word string) bool { return strings.Count(word, ".") >= 2 && strings.HasPrefix(word, "ey") })
}

func (f *inspectFlags) check(rest []string) (err error) {
	if slices.ContainsFunc(rest, holdsToken) {
		return errArgument
	}
	f.now = time.Now()
	switch {
	case len(rest) > 1:
		return errors.New("give one file, or none for standard input")
	case len(rest) == 1:
		f.file = rest[0]
	}
	if f.at != "" {
		if f.now, err = time.Parse(time.RFC3339, f.at); err != nil {
			return fmt.Errorf("-at %q: must be like 2026-01-31T12:00:00Z", f.at)
		}
	}
	return f.rules.check()
}

// tokenInspect is "token inspect".
func tokenInspect(ctx context.Context, c console, args []string) int {
	f := &inspectFlags{}
	if status, ok := f.parse(c, args); !ok {
		return status
	}
	status, err := f.inspect(ctx, c)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "sallyport token inspect: %v\n", err)
		return exitUsage
	}
	return status
}

// inspect reads a token, judges it and prints the outcome.
func (f *inspectFlags) inspect(ctx context.Context, c console) (int, error) {
	raw, notes, err := readToken(f.file, c.stdin)
	if err != nil {
		return exitUsage, err
	}
	defer clear(raw)
	rules, err := f.rules.open()
	if err != nil {
		return exitUsage, err
	}
	defer rules.close()
	o := &outcome{Notes: notes, contents: read(raw, f.now, f.personal)}
	if len(rules.profiles) > 0 {
		if err := o.judge(ctx, rules, f.now, raw); err != nil {
			return exitUsage, err
		}
		o.judgeScope(f.scope)
	}
	o.hints(raw)
	if f.asJSON {
		show.JSON(c.stdout, o)
	} else {
		o.print(c.stdout)
	}
	if o.Good {
		return exitOK, nil
	}
	return exitFailed, nil
}

// maxTokenFile is the longest input in bytes: more than any token that a server looks at.
const maxTokenFile = 1 << 16

// readToken reads a file, or standard input. A line feed at the end is a file's and not the token's.
func readToken(path string, stdin io.Reader) (raw []byte, notes []string, err error) {
	in := stdin
	if path != "" && path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the token: %w", err)
		}
		defer file.Close() //nolint:errcheck // only read
		in = file
	}
	raw, err = io.ReadAll(io.LimitReader(in, maxTokenFile+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("cannot read the token: %w", err)
	case len(raw) > maxTokenFile:
		return nil, nil, fmt.Errorf("more than %d bytes: that is no token", maxTokenFile)
	case len(bytes.TrimSpace(raw)) == 0:
		return nil, nil, errors.New("there is no token: give it by standard input or in a file")
	}
	if token := bytes.TrimRight(raw, "\r\n"); len(token) < len(raw) {
		notes = append(notes, "the line feed behind the token was left out; a client that reads a file must do the same")
		raw = token
	}
	return raw, notes, nil
}
