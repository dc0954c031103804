// Sallyport is the operator's program for a fleet of match servers: it asks their admin API
// (package fleet/admin) who plays, ends sessions, keeps players out, drains servers and rotates
// fleet keys.
//
//	go run ./cmd/sallyport            # lists the subcommands
//	go run ./cmd/sallyport kick -h    # documents one
//
// A subcommand is a row of the table in commands.go and a file of its own. Its run function parses
// its own flags with command.Parse, writes results to stdout and what went wrong to stderr, and
// returns an exit status of exit.go.
package main
