package soak

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/transport"
)

// stay is one session of a player, from joining to leaving.
type stay struct {
	run    *run              // constant
	player *player           // constant
	client *transport.Client // set by begin, constant afterwards
	joined time.Time         // likewise

	ended   chan struct{} // closed when nothing more will be received
	leaving atomic.Bool   // the end of the session is our own doing

	sent, delivered, dropped atomic.Uint64
	sending                  atomic.Bool // within client.Send
	tokenLen                 atomic.Int64
	sentTo                   string        // where the server has sent the player, until it is there; of OnEvent
	shown                    atomic.Int64  // bytes of the newest snapshot
	taken                    atomic.Uint64 // snapshots that the impairment took, blackouts aside
	dark                     atomic.Bool   // there is a blackout
	turn                     turn
	ledger                   ledger
	lanes                    *lanes // constant

	// The sender's own.
	conn    *netsim.Impaired // the present one
	input   arena.Input
	payload []byte
	before  transport.ClientStats // as the turn began

	seen seen // the receiver's own
}

func newStay(p *player) *stay {
	return &stay{run: p.run, player: p, ended: make(chan struct{}), lanes: newLanes(p.run), payload: make([]byte, p.run.config.Payload)}
}

// listen opens a socket behind the impairment.
func (s *stay) listen() (*netsim.Impaired, error) {
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	p, config := s.player, &s.run.config
	p.sockets++
	conn, err := netsim.Impair(socket, config.Impairment, config.Seed+uint64(p.number)<<20+p.sockets)
	if err != nil {
		socket.Close() //nolint:errcheck // err says more
		return nil, err
	}
	conn.OnDrop = s.dropping
	return conn, nil
}

func (s *stay) begin(c *transport.Client) {
	s.client, s.joined, s.seen.last = c, time.Now(), time.Now()
	s.lanes.begin(c)
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
	steps := config.script(s.player.number)
	cue := s.run.cue(steps)
	for {
		select {
		case <-over:
			return false
		case <-s.ended:
			return false
		case <-cue:
			steps[0].do(s)
			steps = steps[1:]
			cue = s.run.cue(steps)
			continue
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
	s.ledger.note(s.input.Number, s.dropped.Load())
	s.sent.Add(1)
	s.sending.Store(true)
	err := s.client.Send(s.payload)
	s.sending.Store(false)
	if err != nil {
		s.sent.Add(^uint64(0)) // not sent after all: the session is over, which receive notes
		return
	}
	s.run.sent.Add(1)
	if s.input.Number%pickupEvery == 0 {
		s.lanes.pickUp()
	}
}

// dropping is told what the impairment takes. Ours is an input if it is leaving while we send one, holds application
// data and has an input's length: a record (13 + 8 + 16 bytes around the plaintext), an envelope's header, the payload.
// In bearer mode the token and its length are there too, and nothing else is as long.
func (s *stay) dropping(outgoing bool, datagram []byte) {
	length := record.Overhead + wire.HeaderLen + s.run.config.Payload
	input := len(datagram) == length
	if s.run.config.Bearer {
		input = len(datagram) >= length+2+int(s.tokenLen.Load())
	}
	if s.snapshot(outgoing, len(datagram)) {
		s.taken.Add(1)
	}
	if outgoing && input && record.ContentType(datagram[0]) == record.ApplicationData && s.sending.Load() {
		s.dropped.Add(1)
	}
}

// snapshot reports whether a datagram that the impairment takes outside of blackouts is a snapshot,
// by its length. FRAMES that are as long are taken for some, which makes a few less expected.
func (s *stay) snapshot(outgoing bool, length int) bool {
	return !outgoing && !s.dark.Load() && length == record.Overhead+wire.HeaderLen+int(s.shown.Load())
}

// leave waits until everything sent is accounted for, says goodbye and adds up.
func (s *stay) leave() {
	s.conn.Blackout(false) // if it was interrupted
	s.drain()
	if s.turn.pending() {
		s.run.behind.Count(s.since())
	}
	s.leaving.Store(true)
	s.lanes.leave()
	s.client.Close() //nolint:errcheck // the socket is gone either way
	<-s.ended
	s.lanes.end(&s.seen, time.Since(s.joined))
	r := s.run
	r.live.Add(-1)
	r.dropped.Add(s.dropped.Load())
	if sent, known := s.sent.Load(), s.delivered.Load()+s.dropped.Load(); known < sent {
		missed := min(sent-known, s.turn.allowance()+uint64(r.config.Hang.Seconds()*float64(r.config.Rate)))
		r.missed.Add(missed)
		r.lost.Add(sent - known - missed)
	} else {
		r.twice.Add(known - sent)
	}
	r.expected.Add(s.expected(time.Now()))
}

// since says what the client has seen since the turn began, for whoever looks for what keeps a player behind.
func (s *stay) since() string {
	was, now := &s.before, s.client.Stats()
	return fmt.Sprintf("player %d at %v: %d payloads sent, %d received, %d bytes received, %d dropped, moved %d times, resumed %d times, round trip %v",
		s.player.number, s.conn.LocalAddr(), now.Sent-was.Sent, now.Received-was.Received, now.BytesReceived-was.BytesReceived,
		now.Dropped-was.Dropped, now.Moved-was.Moved, now.Resumed-was.Resumed, now.RTT)
}

// drain waits for what is still on its way, lanes included.
func (s *stay) drain() {
	config := &s.run.config
	deadline := time.After(drainTime + config.delay())
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for s.delivered.Load()+s.dropped.Load()+s.turn.lost() < s.sent.Load() || s.lanes.outstanding() {
		select {
		case <-ticker.C:
		case <-deadline:
			return
		case <-s.ended:
			return
		}
	}
	if config.impaired() {
		time.Sleep(settleTime)
	}
}
