// Package reach measures how far and how fast a revocation reaches: match servers in processes of
// their own, with real players over loopback, three NATS servers in processes of their own, and the
// central publisher in this one.
//
//	this process                       three processes        eight processes
//	  publisher ── natscarrier ──────▶ nats-server ─────────▶ natscarrier ── Feed ── transport.Server
//	  players ──── UDP ──────────────────────────────────────────────────────────────▶
//	  a Line for each server, which can be cut ─┘
//
// What is measured is the time from before Publisher.Append to the last datagram that any server has
// handed to the match, by the one clock of the machine.
//
// A match server is this program's own executable, started again, as in package natstest. The
// program's main, or the TestMain of its tests, must begin with
//
//	if reach.IsChild() {
//		os.Exit(reach.Child())
//	}
package reach
