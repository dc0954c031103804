// Package sidecar is the backend of a gateway whose game is another process on the same machine, in any
// language: one datagram socket on the loopback interface, or a Unix one, with a header of 24 bytes
// before each payload. docs/sidecar.md has the bytes and the rules.
//
//	players ─▶ Gateway ─ Join, Data, Left ─▶ link, boxes ─▶ sender ─ sendmmsg ─▶ game
//	players ◀─ Gateway ◀─ Send, Kick, Judge ────────── receiver ◀─ recvmmsg ─ game
//
// What a player sends as a payload, or on a lane that may lose, is one datagram and no more. Who joins
// and who leaves, and messages of lanes that are to arrive, have a number, and are repeated until the
// game has confirmed them (link.go): so a game knows at any time who plays, after a restart, too.
//
//	s, err := sidecar.New(sidecar.Config{})
//	g, err := gateway.New(gateway.Config{Backend: s, Metrics: []prometheus.Collector{s}, …})
package sidecar
