package main

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// console is what a subcommand reads and writes.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// command is a subcommand.
type command struct {
	name  string
	about string // one line of the list
	// run parses the arguments behind the name and returns the exit status. It ends soon once ctx is
	// done.
	run func(ctx context.Context, c console, args []string) int
}

// commands are the subcommands of the program, in the order in which its help lists them.
var commands = []command{
	{"sessions", "lists who plays on which server", sessions},
	{"stats", "shows what each server has done since it began", stats},
	{"kick", "ends a session, or every session of a player", kick},
	{"ban", "keeps a player out", ban},
	{"bans", "lists the bans in force", bans},
	{"lift", "ends a ban before its time", lift},
	{"revoke", "withdraws trust from a player, token, sign-in, key, build or session", revoke},
	{"drain", "shuts servers down once their players have left", drain},
	{"keys", "makes, shows and rotates fleet keys", keys},
	{"audit", "verifies signed audit files", audits},
	{"token", "says which check an identity token fails", tokens},
	{"doctor", "says what keeps a match server from running well on this machine, and what to do", diagnose},
}

// dispatch runs the subcommand of table that args begins with. name is what has been typed so far,
// and head and foot surround the list of subcommands in its help.
func dispatch(ctx context.Context, c console, name, head, foot string, table []command, args []string) int {
	if len(args) == 0 {
		fmt.Fprintf(c.stderr, "%s: a subcommand is missing (-h lists them)\n", name)
		return exitUsage
	}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		fmt.Fprint(c.stdout, head)
		fmt.Fprint(c.stdout, "\nSubcommands, each with -h for more:\n")
		for _, s := range table {
			fmt.Fprintf(c.stdout, "  %-9s %s\n", s.name, s.about)
		}
		fmt.Fprint(c.stdout, foot)
		return exitOK
	}
	for _, s := range table {
		if s.name == args[0] {
			return s.run(ctx, c, args[1:])
		}
	}
	fmt.Fprintf(c.stderr, "%s: there is no subcommand %q (-h lists them)\n", name, args[0])
	return exitUsage
}
