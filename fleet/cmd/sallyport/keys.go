package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	fleetkeys "github.com/sallyport/sallyport/fleet/keys"
	"github.com/sallyport/sallyport/fleetkey"
	cmdline "github.com/sallyport/sallyport/internal/lab/command"
)

const keysHelp = `sallyport keys: the fleet keys that seal tickets and snapshots.

usage: sallyport keys SUBCOMMAND [flags]

A fleet whose keys a keeper makes and distributes (package fleet/keys) rotates them by "keys rotate". One whose
keys are files makes them by "keys generate", distributes them itself, and sees by "keys list" that each
step is done everywhere before the next begins.
`

var keyCommands = []command{
	{"list", "shows the ids of each server's keys, and how far a rotation is", keysList},
	{"generate", "makes a fleet key for a key file", keysGenerate},
	{"rotate", "rotates the keys of the fleet, in the order that loses no ticket", keysRotate},
	{"emergency", "drops all keys at once, because one has leaked", keysEmergency},
	{"forget", "has a rotation wait no longer for a server that runs no more", keysForget},
}

// keys is "keys".
func keys(ctx context.Context, c console, args []string) int {
	return dispatch(ctx, c, "sallyport keys", keysHelp, "\n"+exitHelp, keyCommands, args)
}

const keysListHelp = `List shows the ids of the fleet keys that each server has, never the keys. The first key of a server seals
new tickets, and all of them open. Where the fleet's keys are kept it also shows how far a rotation is:
  steady  one key, which seals                     switch  the next key seals on servers that have heard so
  spread  the next key goes to each server         drain   the next key seals everywhere; the former one opens

  sallyport keys list -server match-1:7781,match-2:7781
  sallyport keys list -server keeper:7781 -server-role operator

By hand, with key files, a rotation is: put the next key behind the others on every server, and see here that
each has it; put it in front on every server, and see here that it seals on each; once the longest token has
expired, 24 hours later at most, remove the former key.
`

func keysList(ctx context.Context, c console, args []string) int {
	var s servers
	set := flag.NewFlagSet("sallyport keys list", flag.ContinueOnError)
	if status, ok := s.parse(c, set, keysListHelp, args, func() error { return nil }); !ok {
		return status
	}
	return ask(ctx, &s, keyHeader, keyRows, func(ctx context.Context, client *admin.Client) (admin.Keys, error) { return client.Keys(ctx) })
}

const keyHeader = "KEY\tROLE\tSINCE\tUNTIL"

// keyRows are the keys of a server, or those of the fleet with the servers that a step waits for.
func keyRows(k admin.Keys) (rows []string) {
	if k.Fleet == nil {
		for _, key := range k.Keys {
			rows = append(rows, row(key.ID, map[bool]string{true: "seals", false: "opens"}[key.Seals], "-", "-"))
		}
		if rows == nil {
			rows = []string{row("none", "-", "-", "-")}
		}
		return rows
	}
	for _, key := range k.Fleet.Keys {
		until := "-"
		if !key.Until.IsZero() {
			until = key.Until.Format(time.RFC3339)
		}
		rows = append(rows, row(key.ID, key.Role, key.Since.Format(time.RFC3339), until))
	}
	for _, i := range k.Fleet.Instances {
		if !i.Current {
			rows = append(rows, row(i.Service, "waited for", i.Instance, i.Until.Format(time.RFC3339)))
		}
	}
	return append(rows, row(k.Fleet.Fleet, k.Fleet.Phase, fmt.Sprintf("revision %d", k.Fleet.Revision), "-"))
}

const keysGenerateHelp = `Generate makes a fleet key: a line of the key file that every server of the fleet has.

  (umask 077; sallyport keys generate > /etc/sallyport/fleet.keys)
  sallyport keys generate -out next.key

Whoever reads the key can go on as any player: the file is for the servers alone, mode 0600. With -out the
file must not exist.

Exit status: 0 the key is written, 2 it could not be.

Flags:
`

func keysGenerate(_ context.Context, c console, args []string) int {
	var out string
	set := flag.NewFlagSet("sallyport keys generate", flag.ContinueOnError)
	set.StringVar(&out, "out", "", "`file` to write, mode 0600; standard output without")
	if status, ok := cmdline.Parse(set, keysGenerateHelp, args, noArguments, c.stdout, c.stderr); !ok {
		return status
	}
	key, err := fleetkey.Generate()
	var text []byte
	if err == nil {
		text, err = key.Text()
		defer clear(text)
	}
	switch {
	case err != nil:
	case out == "":
		_, err = c.stdout.Write(text)
	default:
		if err = createFile(out, text, 0o600); err == nil {
			fmt.Fprintf(c.stdout, "key %08x: %s\n", key.ID(), out)
		}
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "sallyport keys generate: %v\n", err)
		return exitUsage
	}
	return exitOK
}

const keysRotateHelp = `Rotate has the fleet's keeper (package fleet/keys) rotate the keys, and follows it until the new key seals
everywhere. -server is the admin API of the program that the keeper runs in.

  sallyport keys rotate -server keeper:7781 -server-role operator

The keeper goes on by itself, in the order that loses no ticket, whether or not anybody looks: first every
server opens with the next key, then every server seals with it, and the former key is kept until all
that it has sealed has expired. A server that is away holds up a step until its lease is over; "keys forget"
names one that is gone for good. Interrupted, the rotation goes on; -wait=false does not follow it.
`

func keysRotate(ctx context.Context, c console, args []string) int {
	var s servers
	wait := true
	set := flag.NewFlagSet("sallyport keys rotate", flag.ContinueOnError)
	set.BoolVar(&wait, "wait", wait, "follow the rotation until the new key seals everywhere")
	if status, ok := s.parse(c, set, keysRotateHelp, args, s.one); !ok {
		return status
	}
	if !s.connect(ctx) {
		return exitUsage
	}
	defer s.close()
	answers := each(ctx, &s, func(ctx context.Context, client *admin.Client) (admin.Keys, error) {
		k, err := client.RotateKeys(ctx)
		if p := new(admin.Problem); errors.As(err, &p) && p.Label() == "rotating" && wait {
			return client.Keys(ctx) // follow that one
		}
		return k, err
	})
	if a := &answers[0]; a.err == nil && wait {
		a.value, a.err = s.followKeys(ctx, s.clients[0], a.value)
	}
	return showAnswers(ctx, &s, keyHeader, keyRows, answers)
}

// one checks that one server is named.
func (s *servers) one() error {
	if len(s.addresses) != 1 {
		return errors.New("-server must be one address: that of the program in which the keeper runs")
	}
	return nil
}

// followEvery is how often a rotation is looked at.
const followEvery = time.Second

// followKeys returns once no step of a rotation waits for a server any more.
func (s *servers) followKeys(ctx context.Context, client *admin.Client, k admin.Keys) (admin.Keys, error) {
	said := ""
	for k.Fleet != nil && (k.Fleet.Phase == fleetkeys.PhaseSpread || k.Fleet.Phase == fleetkeys.PhaseSwitch) {
		waits := 0
		for _, i := range k.Fleet.Instances {
			if !i.Current {
				waits++
			}
		}
		if now := fmt.Sprintf("%s, waits for %d of %d servers", k.Fleet.Phase, waits, len(k.Fleet.Instances)); now != said && !s.json {
			said = now
			fmt.Fprintf(s.console.stderr, "%s: %s\n", client.Address, now)
		}
		select {
		case <-ctx.Done():
			return k, ctx.Err()
		case <-time.After(followEvery):
		}
		look, cancel := context.WithTimeout(ctx, s.timeout)
		next, err := client.Keys(look)
		cancel()
		if err != nil {
			return k, err
		}
		k = next
	}
	return k, nil
}

const keysEmergencyHelp = `Emergency drops all keys of the fleet at once, because one has leaked, and has the keeper make a new one.

  sallyport keys emergency -yes -server keeper:7781 -server-role operator

Nothing that was sealed before opens any more: players whose connection ends need an identity token, and
snapshots of servers that are stopped now cannot be taken over. Live sessions go on.
`

func keysEmergency(ctx context.Context, c console, args []string) int {
	var s servers
	var yes bool
	set := flag.NewFlagSet("sallyport keys emergency", flag.ContinueOnError)
	set.BoolVar(&yes, "yes", false, "do it (required)")
	if status, ok := s.parse(c, set, keysEmergencyHelp, args, func() error {
		if !yes {
			return errors.New("it costs all tickets: give -yes if a key has leaked")
		}
		return s.one()
	}); !ok {
		return status
	}
	return ask(ctx, &s, keyHeader, keyRows, func(ctx context.Context, client *admin.Client) (admin.Keys, error) { return client.DropKeys(ctx) })
}

const keysForgetHelp = `Forget has the fleet's keeper leave out an instance that runs no more, so that no step of a rotation waits until
its lease is over.

  sallyport keys forget -instance 00112233445566778899aabbccddeeff -server keeper:7781 -server-role operator

"keys list" shows for which instances a step waits. If the instance does run, tickets may be refused.
`

func keysForget(ctx context.Context, c console, args []string) int {
	var s servers
	var instance string
	set := flag.NewFlagSet("sallyport keys forget", flag.ContinueOnError)
	set.StringVar(&instance, "instance", "", "`number` of the instance (required)")
	if status, ok := s.parse(c, set, keysForgetHelp, args, func() error {
		if instance == "" {
			return errors.New(`-instance is missing: "keys list" shows for which a step waits`)
		}
		return s.one()
	}); !ok {
		return status
	}
	return ask(ctx, &s, keyHeader, keyRows, func(ctx context.Context, client *admin.Client) (admin.Keys, error) {
		return client.ForgetInstance(ctx, instance)
	})
}
