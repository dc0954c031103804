package main

import "context"

const auditHelp = `sallyport audit: signed chains of audit lines, and whether they are whole.

usage: sallyport audit SUBCOMMAND [flags]
`

var auditCommands = []command{
	{"verify", "says what is altered, missing or unsigned in files of audit lines", auditVerify},
	{"keygen", "makes the key with which a server signs its audit", auditKeygen},
}

func audits(ctx context.Context, c console, args []string) int {
	return dispatch(ctx, c, "sallyport audit", auditHelp, "", auditCommands, args)
}
