//go:build linux

package main

import (
	"time"

	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/transport"
)

// What a match tells each player in a tick of the work push, and hears from it:
// so many small pieces, and one.
const (
	pushPieces  = 4
	pushPayload = 48 // bytes
)

// pushLanes have one lane for both directions.
var pushLanes = []transport.Lane{{Mode: transport.Reliable}}

// servePush has a server send DATA, or messages if it has lanes, without offload
// one datagram after the other.
func servePush(lanes []transport.Lane, offload bool) func(*job, *counters) (endpoint, error) {
	return func(j *job, n *counters) (endpoint, error) {
		if !offload {
			udp.NoOffload()
		}
		s, e, err := listenSallyport(verified, lanes)
		if err != nil {
			return e, err
		}
		m := &pushMatch{job: j, counts: n, server: s, messages: lanes != nil}
		go m.run()
		return e, nil
	}
}

// pushMatch is a game that tells everybody something in every tick.
type pushMatch struct {
	job      *job
	counts   *counters
	server   *transport.Server
	messages bool
	players  []*transport.Player
	payload  [pushPayload]byte
}

func (m *pushMatch) run() {
	h := transport.Handler{
		Join:    func(p *transport.Player) { m.players = append(m.players, p) },
		Receive: func(*transport.Player, []byte) { m.counts.received.Add(1) },
		Message: func(*transport.Player, int, uint64, []byte) { m.counts.received.Add(1) },
	}
	for len(m.players) < m.job.Players {
		m.poll(h) // more often, as long as handshakes wait for it
		m.server.Flush()
		time.Sleep(time.Millisecond)
	}
	for range time.Tick(time.Second / hertz) {
		m.poll(h)
		stamp(m.payload[:], time.Now())
		for _, p := range m.players {
			m.tell(p)
		}
		m.server.Flush()
	}
}

func (m *pushMatch) poll(h transport.Handler) {
	if _, err := m.server.Poll(h); err != nil {
		m.counts.failed.Add(1)
	}
}

// tell sends one player all pieces.
func (m *pushMatch) tell(p *transport.Player) {
	for range pushPieces {
		var err error
		if m.messages {
			_, err = p.SendMessage(0, m.payload[:])
		} else {
			err = p.Send(m.payload[:])
		}
		if err != nil {
			m.counts.failed.Add(1)
			continue
		}
		m.counts.sent.Add(1)
	}
}

// laneConn is a player with lanes as the load sees it.
type laneConn struct {
	player *lanePlayer
	memory []byte
	in     [][]byte
}

func dialLanes(j *job) (conn, error) {
	c := new(laneConn)
	var err error
	c.player, err = newLanePlayer(j, func(_ int, b []byte) {
		from := len(c.memory)
		c.memory = append(c.memory, b...)
		c.in = append(c.in, c.memory[from:])
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *laneConn) send(payloads [][]byte) error {
	for _, b := range payloads {
		if err := c.player.say(0, b); err != nil {
			return err
		}
	}
	c.player.flush()
	return nil
}

func (c *laneConn) receive() ([][]byte, error) {
	c.memory, c.in = c.memory[:0], c.in[:0]
	for len(c.in) == 0 {
		if err := c.player.play(); err != nil {
			return nil, err
		}
	}
	return c.in, nil
}

func (c *laneConn) close() error { return c.player.close() }
