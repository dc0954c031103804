// Package sidecar is the backend of a gateway whose game is another process on the same machine, in any
// language: one datagram socket on the loopback interface, or a Unix one, with a header of 24 bytes
// before each payload. docs/sidecar.md has the bytes and the rules.
//
//	players ─▶ Gateway ─ Join, Data, Left ─▶ link, boxes ─▶ sender ─ sendmmsg ─▶ game
//	players ◀─ Gateway ◀─ Send, Kick, Judge ────────── receiver ◀─ recvmmsg ─ game
//
// A payload, or a message of a lane that may lose it, is sent to the game once. Joins, leaves and
// messages of reliable lanes have a number, and are repeated until the game has confirmed them
// (link.go): so a game always knows who plays, after a restart, too.
//
//	s, err := sidecar.New(sidecar.Config{})
//	g, err := gateway.New(gateway.Config{Backend: s, Metrics: []prometheus.Collector{s}, …})
package sidecar
