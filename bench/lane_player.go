//go:build linux

package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// lanePlayer is a player with lanes. One goroutine plays, others may send; the
// player's mu guards what they share.
type lanePlayer struct {
	*player
	began    time.Time
	take     func(lane int, b []byte) // called with mu held
	endpoint *lanes.Endpoint
	body     [wire.MaxBody]byte
}

var errNoLanes = errors.New("bench: the server has no lanes")

// lanePause is the shortest wait between two looks at what is due.
const lanePause = time.Millisecond

// newLanePlayer joins; then play has take called for each message.
func newLanePlayer(j *job, take func(lane int, b []byte)) (*lanePlayer, error) {
	p, err := newPlayer(j, session.ClientConfig{Lanes: true})
	if err != nil {
		return nil, err
	}
	l := p.session.Lanes()
	if l == nil {
		return nil, errors.Join(errNoLanes, p.close())
	}
	return &lanePlayer{player: p, began: time.Now(), take: take, endpoint: lanes.New(lanes.Config{
		Table: l.Table, Base: l.Base, Next: p.session.Sequence() + 1, PeerDelay: l.PeerDelay, PeerCredit: l.PeerCredit,
		Ceiling: l.Rate, Random: rand.Uint64,
	})}, nil
}

// play waits for datagrams, or for something else that is due.
func (p *lanePlayer) play() error {
	if err := p.socket.SetReadDeadline(time.Now().Add(p.flush())); err != nil {
		return err
	}
	in, err := p.mover.receive()
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Since(p.began)
	for _, d := range in {
		if err := p.hear(now, d.b); err != nil {
			return err
		}
	}
	return nil
}

// hear takes one datagram.
func (p *lanePlayer) hear(now time.Duration, b []byte) error {
	typ, plaintext, err := p.record.Open(b)
	if err != nil || typ != record.ApplicationData {
		return nil // an old flight
	}
	_, ev := p.session.Handle(time.Now(), plaintext)
	seq := p.session.Arrived()
	switch {
	case ev.Kind == machine.EventClosed:
		return net.ErrClosed
	case ev.Kind == machine.EventFrames:
		p.endpoint.Receive(now, seq, p.session.Sequence(), ev.Payload, p)
	case seq != 0:
		p.endpoint.Note(now, seq)
	}
	return nil
}

// flush sends what is due, and returns how long nothing else is.
func (p *lanePlayer) flush() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Since(p.began)
	p.endpoint.Tick(now, p)
	for {
		for p.endpoint.LeaveOut(p.session.Sequence() + 1) {
			p.session.LeaveOut()
		}
		body, ok := p.endpoint.Append(p.body[:0], now, p.session.Sequence()+1)
		if !ok {
			return min(max(p.endpoint.Deadline(now)-now, lanePause), time.Second)
		}
		p.write(wire.KindFrames, body)
	}
}

// say queues a message, which flush sends.
func (p *lanePlayer) say(lane int, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.endpoint.Send(time.Since(p.began), lane, b, p)
	return err
}

// Message implements lanes.Sink.
func (p *lanePlayer) Message(lane int, _ uint64, b []byte) {
	p.take(lane, b)
	p.endpoint.Taken(lane, len(b))
}

// Latest implements lanes.Sink: there is no such lane.
func (p *lanePlayer) Latest(int, uint32, []byte) {}

// Receipt implements lanes.Sink: nobody has asked for them.
func (p *lanePlayer) Receipt(int, uint64, bool) {}
