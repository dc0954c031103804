package soak

import (
	"context"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/examples/internal/arena"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
	"github.com/sallyport/sallyport/wire"
)

// stay is one session of a player, from joining to leaving.
type stay struct {
	run    *run              // constant
	client *transport.Client // set by begin, constant afterwards
	began  time.Time         // likewise

	ended   chan struct{} // closed when nothing more will be received
	leaving atomic.Bool   // the end of the session is our own doing

	sent, delivered, dropped atomic.Uint64
	rate                     atomic.Uint64 // the server's ticks a second, as the snapshots say; 0 before
	sending                  atomic.Bool   // within client.Send
	tokenLen                 atomic.Int64

	// The sender's own.
	input   arena.Input
	payload []byte
}

func newStay(r *run) *stay {
	return &stay{run: r, ended: make(chan struct{}), payload: make([]byte, r.config.Payload)}
}

func (s *stay) begin(c *transport.Client) {
	s.client, s.began = c, time.Now()
	s.run.live.Add(1)
	go s.receive()
}

// play sends inputs, and reports whether the player is to join again.
func (s *stay) play(rng *rand.Rand) (again bool) {
	select {
	case <-s.run.start:
	case <-s.ended:
		return false
	}
	over := s.run.playing.Done()
	config := &s.run.config
	ticker := pace(over, config.Rate, rng)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return false
		case <-s.ended:
			return false
		case <-ticker.C:
		}
		s.send(rng)
		if rng.Float64() < config.Churn/float64(config.Rate) {
			return true
		}
	}
}

// send sends the next input. Every now and then the player turns.
func (s *stay) send(rng *rand.Rand) {
	if s.input.Number%32 == 0 {
		sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
		s.input.X, s.input.Y = int16(math.MaxInt16*cos), int16(math.MaxInt16*sin)
	}
	s.input.Number++
	s.input.Time = int64(time.Since(s.run.began))
	s.input.AppendTo(s.payload[:0])
	s.sent.Add(1)
	s.sending.Store(true)
	err := s.client.Send(s.payload)
	s.sending.Store(false)
	if err != nil {
		s.sent.Add(^uint64(0)) // not sent after all: the session is over, which receive notes
		return
	}
	s.run.sent.Add(1)
}

// dropping is told what the impairment takes. Ours is an input if it is leaving while we send one and has an input's
// length: a record (13 + 8 + 16 bytes around the plaintext), an envelope's header, the payload. In bearer mode the
// token and its length are there too, and nothing else is as long.
func (s *stay) dropping(outgoing bool, datagram []byte) {
	length := wire.RecordOverhead + wire.HeaderLen + s.run.config.Payload
	input := len(datagram) == length
	if s.run.config.Bearer {
		input = len(datagram) >= length+2+int(s.tokenLen.Load())
	}
	if outgoing && input && s.sending.Load() {
		s.dropped.Add(1)
	}
}

// receive reads snapshots until the session is over.
func (s *stay) receive() {
	defer close(s.ended)
	var buf [wire.MaxBody]byte
	var newest uint32
	for {
		n, err := s.client.Receive(context.Background(), buf[:])
		if err != nil {
			if !s.leaving.Load() {
				s.run.closed.add(reason(err))
			}
			return
		}
		snapshot, err := arena.ParseSnapshot(buf[:n])
		if err != nil {
			s.run.closed.add("snapshot malformed")
			return
		}
		s.run.received.Add(1)
		s.rate.Store(uint64(snapshot.Rate))
		if snapshot.Delivered > s.delivered.Load() {
			s.delivered.Store(snapshot.Delivered)
		}
		if snapshot.Newest > newest {
			newest = snapshot.Newest
			s.run.rtt.add(time.Since(s.run.began) - time.Duration(snapshot.Time))
		}
	}
}

// event is told what happens to the session.
func (s *stay) event(ev transport.ClientEvent) {
	if ev.Kind == session.EventRenewed {
		s.run.renewals.Add(1)
	}
}

// leave waits until everything sent is accounted for, says goodbye and adds up.
func (s *stay) leave() {
	s.drain()
	s.leaving.Store(true)
	s.client.Close() //nolint:errcheck // the socket is gone either way
	<-s.ended
	r := s.run
	r.live.Add(-1)
	r.dropped.Add(s.dropped.Load())
	if sent, known := s.sent.Load(), s.delivered.Load()+s.dropped.Load(); known < sent {
		r.lost.Add(sent - known)
	} else {
		r.twice.Add(known - sent)
	}
	arriving := 1 - r.config.Impairment.Loss
	r.expected.Add(uint64(time.Since(s.began).Seconds() * float64(s.rate.Load()) * arriving))
}

func (s *stay) drain() {
	deadline := time.After(drainTime)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for s.delivered.Load()+s.dropped.Load() < s.sent.Load() {
		select {
		case <-ticker.C:
		case <-deadline:
			return
		case <-s.ended:
			return
		}
	}
	if s.run.config.impaired() {
		time.Sleep(settleTime)
	}
}
