//go:build linux

package main

import (
	"flag"
	"testing"
	"time"
)

var (
	crowdPlayers = flag.Int("crowd", 500, "players of TestCrowd")
	crowdTime    = flag.Duration("crowd-time", 2*time.Second, "how long TestCrowd lasts")
)

const (
	// underWayMost is how many inputs the match may not have heard yet. A socket
	// has room for them, however long a busy machine leaves its reader without a
	// processor.
	underWayMost = 128

	// patience is how long nothing may arrive.
	patience = 20 * time.Second
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
	began := time.Now()
	c := assemble(t, j)
	t.Logf("%d players have come in %v", len(c.players), time.Since(began).Round(time.Millisecond))
	c.play(t, rate, int(float64(len(c.players)*rate)*crowdTime.Seconds()))
}

// crowd is a match and its players, in this process.
type crowd struct {
	job            *job
	server, client counters
	players        []conn
}

// assemble lets all players of a job join.
func assemble(t *testing.T, j *job) *crowd {
	t.Helper()
	c, p := &crowd{job: j}, peerNamed(j.Peer)
	var err error
	if j.Endpoint, err = p.serve(j, &c.server); err != nil {
		t.Fatal(err)
	}
	if c.players, err = connect(j, p); err != nil {
		t.Fatal(err)
	}
	for _, player := range c.players {
		go listen(&c.client, player)
		t.Cleanup(func() { _ = player.close() })
	}
	return c
}

// play has the players send n inputs in turn, each rate a second, or as fast as
// the machine lets the match hear them. All are heard, and all answers come back.
func (c *crowd) play(t *testing.T, rate, n int) {
	t.Helper()
	perSecond := float64(len(c.players) * rate)
	one := window(c.job, 1)
	began := time.Now()
	last, arrived := began, uint64(0)
	for done := 0; c.client.received.Load() < uint64(n); time.Sleep(time.Millisecond) {
		due := min(n, int(time.Since(began).Seconds()*perSecond))
		for ; done < due && uint64(done) < c.server.received.Load()+underWayMost; done++ {
			stamp(one[0], time.Now())
			emit(&c.client, c.players[done%len(c.players)], one)
		}
		if now := c.server.received.Load() + c.client.received.Load(); now != arrived {
			last, arrived = time.Now(), now
		}
		if time.Since(last) > patience {
			break
		}
	}
	took := time.Since(began)
	time.Sleep(time.Second) // what must not come
	sent, heard, back := c.client.sent.Load(), c.server.received.Load(), c.client.received.Load()
	t.Logf("%d inputs sent in %v, %d heard by the match, %d answers came back", sent, took.Round(time.Millisecond), heard, back)
	if sent != uint64(n) || heard != sent || back != sent || c.server.failed.Load()+c.client.failed.Load() != 0 {
		t.Errorf("of %d inputs %d were sent, %d heard and %d answered; %d failed at the server, %d at the client",
			n, sent, heard, back, c.server.failed.Load(), c.client.failed.Load())
	}
}
