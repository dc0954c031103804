package main

import "context"

const tokenHelp = `sallyport token: identity tokens.

usage: sallyport token SUBCOMMAND [flags]
`

var tokenCommands = []command{
	{"inspect", "says which check a token fails, and what is in it", tokenInspect},
}

func tokens(ctx context.Context, c console, args []string) int {
	return dispatch(ctx, c, "sallyport token", tokenHelp, "", tokenCommands, args)
}
