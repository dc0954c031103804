//go:build linux

package main

import (
	"fmt"
	"regexp"
)

// cell is one line of work that several peers do.
type cell struct {
	Name    string
	Work    string // echo, ingest, paced, push, handshake, idle
	Players int    // handshake: how many at once
	Payload int    // bytes
	Window  int    // echo: datagrams under way for each player
}

// job is a cell for one peer: what server and client are told.
type job struct {
	cell
	Peer     string
	Endpoint endpoint // for the client
}

// sink says that the server does not answer.
func (j *job) sink() bool { return j.Work == "ingest" }

// hertz is how often a player of the work paced sends in a second, and how
// often a server that polls does.
const hertz = 60

// payload is the usual length in bytes: an input, or a few changes of state.
const payload = 64

// idlePlayers is for rivals, whose clients in one process would not fit the
// memory of a small machine; idleOurs is the crowd that is promised.
const (
	idlePlayers = 2_000
	idleOurs    = 10_000
)

func cells() []cell {
	var all []cell
	for _, window := range []int{1, 8} {
		for _, n := range []int{1, 100, 1000} {
			all = append(all, cell{fmt.Sprintf("echo-w%d-%d", window, n), "echo", n, payload, window})
		}
	}
	for _, n := range []int{100, 1000} {
		all = append(all, cell{fmt.Sprintf("paced-%d", n), "paced", n, payload, 1})
	}
	all = append(all, cell{"push-100", "push", 100, pushPayload, 1})
	for _, size := range []int{64, 512} {
		all = append(all, cell{fmt.Sprintf("ingest-%d", size), "ingest", 100, size, 1})
	}
	for _, n := range []int{1, 8} {
		all = append(all, cell{fmt.Sprintf("handshake-%d", n), "handshake", n, payload, 1})
	}
	return append(all, cell{"idle", "idle", idlePlayers, payload, 1})
}

// suits says whether the work means anything for the peer.
func (c *cell) suits(p *peer) bool {
	switch p.name {
	case "udp", "udp-batch", "udp-gso", "floor", "floor-gso":
		return c.Work != "handshake" && c.Work != "idle" && c.Work != "push"
	case "floor-tick":
		return c.Work == "paced"
	case "sallyport-unverified", "sallyport-dtls":
		return c.Work == "handshake"
	case "data", "packed", "data-plain", "packed-plain":
		return c.Work == "push"
	}
	return c.Work != "push"
}

// jobs are a round's, in order: those whose name, "cell/peer", only matches.
func jobs(all []cell, only *regexp.Regexp) []job {
	var list []job
	for _, c := range all {
		for i := range peers {
			p := &peers[i]
			if !c.suits(p) || !only.MatchString(c.Name+"/"+p.name) {
				continue
			}
			j := job{cell: c, Peer: p.name}
			if c.Work == "idle" && p.name == "sallyport" {
				j.Players *= idleOurs / idlePlayers
			}
			list = append(list, j)
		}
	}
	return list
}
