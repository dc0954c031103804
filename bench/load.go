//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// dialers is how many players connect at once, except in the work handshake.
const dialers = 16

// stalled is how long a player of the work echo waits before it believes that
// its datagrams are lost, and sends new ones.
const stalled = time.Second

// load connects the job's players and sets them to work. It returns when the
// load stands, and the work goes on until the process ends. The caller keeps the
// players, lest the garbage collector closes the sockets of idle ones.
func load(j *job, p *peer, n *counters) (players []conn, err error) {
	if j.Work == "handshake" {
		for range j.Players {
			go join(j, p, n)
		}
		return nil, nil
	}
	if players, err = connect(j, p); err != nil {
		return nil, err
	}
	switch j.Work {
	case "echo":
		for _, c := range players {
			go echo(j, n, c)
		}
	case "paced", "push":
		for _, c := range players {
			go listen(n, c)
		}
		go pace(context.Background(), j, n, players, hertz)
	case "ingest":
		for w := range min(2, len(players)) {
			go blast(j, n, players[w:])
		}
	case "idle":
		return players, greet(j, players)
	}
	return players, nil
}

// connect dials all players, some at a time.
func connect(j *job, p *peer) ([]conn, error) {
	players := make([]conn, j.Players)
	var next atomic.Int64
	errs := make(chan error, dialers)
	for range dialers {
		go func() {
			for i := next.Add(1) - 1; i < int64(j.Players); i = next.Add(1) - 1 {
				c, err := dial(j, p)
				if err != nil {
					errs <- fmt.Errorf("player %d: %w", i, err)
					return
				}
				players[i] = c
			}
			errs <- nil
		}()
	}
	for range dialers {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return players, nil
}

// dial tries three times: a rival's server may refuse while it is full.
func dial(j *job, p *peer) (c conn, err error) {
	for range 3 {
		if c, err = p.dial(j); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// stamp writes the time into a payload, to be found when it returns.
func stamp(b []byte, now time.Time) { binary.LittleEndian.PutUint64(b, uint64(now.UnixNano())) }

func delay(b []byte, now time.Time) int64 {
	return now.UnixNano() - int64(binary.LittleEndian.Uint64(b))
}

// window makes a player's payloads, side by side.
func window(j *job, count int) [][]byte {
	w, memory := make([][]byte, count), make([]byte, count*j.Payload)
	for i := range w {
		w[i] = memory[i*j.Payload:][:j.Payload]
		stamp(w[i], time.Now())
	}
	return w
}

// count takes note of what a player has received.
func count(n *counters, payloads [][]byte, now time.Time) {
	for _, b := range payloads {
		n.delays.add(delay(b, now))
	}
	n.received.Add(uint64(len(payloads)))
}

// echo sends back what comes, so that the window stays under way.
func echo(j *job, n *counters, c conn) {
	var mark atomic.Uint64
	go revive(j, n, c, &mark)
	for {
		payloads, err := c.receive()
		if err != nil {
			n.failed.Add(1)
			return
		}
		now := time.Now()
		count(n, payloads, now)
		mark.Add(1)
		for _, b := range payloads {
			stamp(b, now)
		}
		emit(n, c, payloads)
	}
}

// revive sends the first window, and another one whenever all of it was lost.
func revive(j *job, n *counters, c conn, mark *atomic.Uint64) {
	for {
		emit(n, c, window(j, j.Window))
		for before := ^uint64(0); before != mark.Load(); {
			before = mark.Load()
			time.Sleep(stalled)
		}
		n.failed.Add(1)
	}
}

func emit(n *counters, c conn, payloads [][]byte) {
	if err := c.send(payloads); err != nil {
		n.failed.Add(1)
		return
	}
	n.sent.Add(uint64(len(payloads)))
}

// listen counts what comes.
func listen(n *counters, c conn) {
	for {
		payloads, err := c.receive()
		if err != nil {
			n.failed.Add(1)
			return
		}
		count(n, payloads, time.Now())
	}
}

// pace sends for every player rate times a second, spread evenly over 1 ms
// steps, until ctx ends. If it falls behind by 250 ms it skips: it never bursts.
func pace(ctx context.Context, j *job, n *counters, players []conn, rate int) {
	perSecond := float64(len(players) * rate)
	one := window(j, 1)
	began, done := time.Now(), 0
	for ctx.Err() == nil {
		due := int(time.Since(began).Seconds() * perSecond)
		for done = max(done, due-int(perSecond/4)); done < due; done++ {
			stamp(one[0], time.Now())
			emit(n, players[done%len(players)], one)
		}
		time.Sleep(time.Millisecond)
	}
}

// blast sends 16 datagrams for every second player in turn, without a pause.
func blast(j *job, n *counters, players []conn) {
	w := window(j, 16)
	for {
		for i := 0; i < len(players); i += 2 {
			emit(n, players[i], w)
		}
	}
}

// greet has each player echo once.
func greet(j *job, players []conn) error {
	for i, c := range players {
		if err := once(j, c); err != nil {
			return fmt.Errorf("player %d: %w", i, err)
		}
	}
	return nil
}

// once sends one datagram until it returns, at most for two seconds.
func once(j *job, c conn) error {
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		for range 8 {
			_ = c.send(window(j, 1)) // a failure shows in receive
			select {
			case <-over:
				return
			case <-time.After(stalled / 4):
			}
		}
		_ = c.close()
	})
	_, err := c.receive()
	close(over)
	wg.Wait()
	return err
}

// join connects, echoes once and leaves, again and again.
func join(j *job, p *peer, n *counters) {
	for {
		began := time.Now()
		c, err := p.dial(j)
		if err == nil {
			err = once(j, c)
			_ = c.close()
		}
		if err != nil {
			n.failed.Add(1)
			continue
		}
		n.delays.add(int64(time.Since(began)))
		n.handshakes.Add(1)
	}
}
