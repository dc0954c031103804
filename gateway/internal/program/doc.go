// Package program is the program sallyport-sidecar, for cmd/sallyport-sidecar and for the examples, which
// run it beside a game.
//
//	flags ─▶ identity, keys, audit, lanes ─▶ sidecar.New ─▶ gateway.New ─▶ Serve
//	SIGHUP, a file that has changed ─▶ reload: certificate, issuer's keys, fleet keys, limits
package program
