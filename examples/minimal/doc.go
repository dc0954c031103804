// Package minimal holds the smallest match server and its client, two programs to copy. In two
// terminals:
//
//	go run ./examples/minimal/server
//	go run ./examples/minimal/client
//
//	client                              server
//	  GET http://127.0.0.1:7790/ ─────▶  dev.Login: address, pin, token
//	  transport.Dial ─────────────────▶  Join
//	  Send: a direction ──────────────▶  Receive
//	  Receive ◀───────────────────────── Broadcast: where everybody is, each tick
//	  Close ──────────────────────────▶  Leave
//
// In each, main.go is how to join and match.go is how to play. Package dev stands in for a login and
// a certificate.
package minimal
