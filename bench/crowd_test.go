//go:build linux

package main

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"
)

var (
	crowdPlayers = flag.Int("crowd", 500, "players of TestCrowd")
	crowdTime    = flag.Duration("crowd-time", 2*time.Second, "how long TestCrowd lasts")
)

// "10,000 players in one process on two cores hold 10 datagrams/s each for a
// minute with nothing lost by the server", and nothing lost on the way back:
//
//	go test -run TestCrowd -crowd 10000 -crowd-time 1m -v
//
// Server and players share the process here, and so the processors. The server
// runs Serve; Poll works one processor, which 100,000 datagrams a second fill.
func TestCrowd(t *testing.T) {
	const rate = 10
	j := &job{cell: cell{Work: "echo", Players: *crowdPlayers, Payload: payload}, Peer: ours}
	p := peerNamed(ours)
	server, client := new(counters), new(counters)
	var err error
	if j.Endpoint, err = p.serve(j, server); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	players, err := connect(j, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d players have come in %v", len(players), time.Since(began).Round(time.Millisecond))
	for _, c := range players {
		go listen(client, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), *crowdTime)
	defer cancel()
	var pacing sync.WaitGroup
	pacing.Go(func() { pace(ctx, j, client, players, rate) })
	pacing.Wait()
	time.Sleep(time.Second) // what is on its way
	sent, heard, back := client.sent.Load(), server.received.Load(), client.received.Load()
	t.Logf("%d inputs sent, %d heard by the match, %d answers came back", sent, heard, back)
	if want := uint64(float64(len(players)*rate) * crowdTime.Seconds()); sent < want*9/10 {
		t.Errorf("%d inputs were sent of %d due: the machine was too slow to tell", sent, want)
	}
	if heard != sent || back != sent || server.failed.Load() != 0 {
		t.Errorf("%d inputs and %d answers are lost, %d failed", sent-heard, heard-back, server.failed.Load())
	}
	for _, c := range players {
		_ = c.close()
	}
}
