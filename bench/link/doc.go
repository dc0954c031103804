// Package link is one emulated path for whoever is measured: a relay between
// clients and a server that does the same to the datagrams of all of them, as
// package netsim does it.
//
//	client ──▶ relay: bottleneck, loss, latency ──▶ server
//	       ◀── relay: the same, drawn separately ◀──
//
// All clients of a relay share its two bottlenecks. It runs in a process of its
// own, so that its processor time is nobody's.
package link
