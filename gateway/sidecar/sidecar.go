package sidecar

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Sidecar is a gateway.Backend whose game is another process on this machine.
type Sidecar struct {
	config  Config           // constant
	socket  *socket          // constant
	path    string           // constant: of the game's Unix socket, empty for UDP
	gateway *gateway.Gateway // set by Start, constant afterwards
	lanes   []lane           // likewise

	link    *link
	boxes   [boxes]box
	reports reports
	began   time.Time
	heard   atomic.Int64 // when the game spoke last, ns since began; 0 for never
	greet   atomic.Bool  // the game is to be told our run at once
	asleep  atomic.Bool  // the sender waits
	wake    chan struct{}
	closing chan struct{}
	once    sync.Once
	sender  sync.WaitGroup
	reader  sync.WaitGroup
}

// lane is what the sidecar has to know of one.
type lane struct {
	certain bool // its messages are to arrive
	latest  bool
}

var _ gateway.Backend = (*Sidecar)(nil)

// Why the game cannot play.
var (
	errNever  = errors.New("sidecar: no game has spoken yet: start it, and have it answer each ALIVE")
	errSilent = errors.New("sidecar: the game is silent: it has ended, hangs, or does not answer ALIVE")
)

// New opens the socket to the game, which need not be there yet. Errors match ErrConfig or are the socket's.
func New(config Config) (*Sidecar, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sidecar{
		config: config, link: newLink(), began: time.Now(), wake: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	if s.socket, s.path, err = open(config); err != nil {
		return nil, err
	}
	return s, nil
}

// Start implements gateway.Backend.
func (s *Sidecar) Start(g *gateway.Gateway) error {
	for i, l := range g.Lanes() {
		if l.MaxMessage > MaxMessage {
			return badConfig("lane %d has messages of up to %d bytes: what does not fit a datagram of %d bytes cannot reach the game", i, l.MaxMessage, MaxMessage)
		}
		s.lanes = append(s.lanes, lane{
			certain: l.Mode != transport.Unreliable && l.Mode != transport.Sequenced, latest: l.Mode == transport.Latest,
		})
	}
	s.gateway = g
	s.reader.Go(s.receive)
	s.sender.Go(s.send)
	return nil
}

// Join implements gateway.Backend.
func (s *Sidecar) Join(p *gateway.Player) {
	s.link.join(&seat{
		handle: p.Handle(), origin: uint8(p.Origin()), lanes: p.HasLanes(), old: p.Origin() == transport.OriginRestored,
		body: appendJoined(nil, p.Session(), p.Metadata(), s.config.Claims),
	})
	s.rouse()
}

// Left implements gateway.Backend.
func (s *Sidecar) Left(p *gateway.Player, reason session.Reason) {
	s.link.left(p.Handle(), uint8(reason))
	s.rouse()
}

// Data implements gateway.Backend.
func (s *Sidecar) Data(p *gateway.Player, lane int, key uint32, b []byte) {
	h := Header{Kind: Data, Lane: PayloadLane, Handle: p.Handle(), Key: key}
	if lane != gateway.Datagram {
		h.Lane = uint8(lane)
	}
	switch {
	case s.link.peer.Load() == 0:
		s.fault(FaultGone)
		return
	case lane != gateway.Datagram && s.lanes[lane].certain:
		if !s.link.data(h, b) {
			s.fault(FaultGone)
			return
		}
	default:
		if !s.boxes[h.Handle%boxes].add(s.link.header(h), b) {
			s.fault(FaultBehind)
			return
		}
	}
	s.rouse()
}

// rouse has the sender look.
func (s *Sidecar) rouse() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{} // there is room: only who ends the sleep writes
	}
}

// Ready implements gateway.Backend.
func (s *Sidecar) Ready() error {
	heard := s.heard.Load()
	switch {
	case heard == 0:
		return errNever
	case time.Since(s.began)-time.Duration(heard) > s.config.Silence:
		return errSilent
	}
	return nil
}

// Close implements gateway.Backend. It first tells the game what is left to tell, that everybody has left for
// instance, and waits until the game has confirmed it, or has confirmed no more of it for Config.Silence. A
// second call does nothing.
func (s *Sidecar) Close() (err error) {
	s.once.Do(func() {
		close(s.closing)
		s.sender.Wait()
		err = s.socket.close()
		s.reader.Wait()
		if own, ok := strings.CutPrefix(s.config.Own, unixScheme); ok {
			os.Remove(own) //nolint:errcheck // it may be gone
		}
	})
	return err
}

// receive takes what the game sends until the socket is closed.
func (s *Sidecar) receive() {
	for {
		batch, err := s.socket.receive()
		if err != nil {
			return
		}
		s.reports.in.Add(uint64(len(batch)))
		now := max(1, int64(time.Since(s.began)))
		s.gateway.Hold()
		for _, b := range batch {
			s.hear(now, b)
		}
		s.gateway.Release()
		s.rouse()
	}
}

// hear takes a datagram of the game at a time in ns since began. Only what is addressed to this run of the
// sidecar shows that the game lives: it has then heard of us.
func (s *Sidecar) hear(now int64, b []byte) {
	h, body, err := Parse(b)
	if err != nil {
		s.fault(faultOf(err))
		return
	}
	switch s.link.hear(h) {
	case noRun, tooMuch:
		s.fault(FaultRun)
		return
	case stale:
		if h.Kind != Alive {
			s.fault(FaultStale)
		}
		s.greet.Store(true)
		return
	}
	if s.heard.Load() != now {
		s.heard.Store(now)
	}
	switch h.Kind {
	case Alive:
		return
	case Data, Kick, Judge:
	default:
		s.fault(FaultKind)
		return
	}
	p := s.gateway.Find(h.Handle)
	if p == nil {
		s.fault(FaultHandle)
		return
	}
	f, ok := s.do(p, h, body)
	if !ok {
		s.fault(f)
		s.refuse(h, f)
	}
}

func faultOf(err error) Fault {
	if errors.Is(err, ErrVersion) {
		return FaultVersion
	}
	return FaultShort
}

// do does what the game asks for. It returns why that cannot be done.
func (s *Sidecar) do(p *gateway.Player, h Header, body []byte) (Fault, bool) {
	switch h.Kind {
	case Kick:
		reason := session.Reason(h.Code)
		if reason == 0 {
			reason = session.ReasonKicked
		}
		if gateway.CheckReason(reason) != nil {
			return FaultReason, false
		}
		p.Kick(reason, string(body[:min(len(body), maxDetail)]))
	case Judge:
		if h.Code == 0 || h.Code > uint8(policy.VerdictRevoke) {
			return FaultVerdict, false
		}
		p.Judge(policy.Verdict(h.Code))
	case Data:
		lane := gateway.Datagram
		if h.Lane != PayloadLane {
			if lane = int(h.Lane); lane >= len(s.lanes) {
				return FaultLane, false
			}
		}
		return sendFault(p.Send(lane, h.Key, body))
	}
	return 0, true
}

// sendFault says what an error of Player.Send means. Who has left or is away is as a network that loses.
func sendFault(err error) (Fault, bool) {
	switch {
	case err == nil, errors.Is(err, transport.ErrGone), errors.Is(err, transport.ErrNotConnected):
		return 0, true
	case errors.Is(err, transport.ErrFull):
		return FaultFull, false
	case errors.Is(err, session.ErrTooLarge), errors.Is(err, session.ErrBearerTooLarge):
		return FaultLong, false
	default:
		return FaultLane, false
	}
}

// refuse tells the game that what it has asked for has no effect. What may be lost anyway is not worth
// a word.
func (s *Sidecar) refuse(h Header, f Fault) {
	if h.Kind == Data && (h.Lane == PayloadLane || int(h.Lane) < len(s.lanes) && !s.lanes[h.Lane].certain) {
		return
	}
	s.boxes[h.Handle%boxes].add(s.link.header(Header{Kind: Refused, Lane: h.Lane, Code: uint8(f), Handle: h.Handle, Key: h.Key}), nil)
}

// send sends what there is for the game, until Close.
func (s *Sidecar) send() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var (
		b       []byte
		ends    []int
		ticked  = true
		alive   time.Time
		timed   = time.Now()
		spare   []byte
		spareAt []int
	)
	for {
		if ticked {
			timed = time.Now()
			s.say(timed)
		}
		b, ends = b[:0], ends[:0]
		if ticked && timed.Sub(alive) >= aliveEvery || s.greet.Swap(false) {
			alive = timed
			b = s.link.header(Header{Kind: Alive}).AppendTo(b)
			ends = append(ends, len(b))
			if s.path != "" {
				s.socket.connect(s.path) //nolint:errcheck // no game listens yet
			}
		}
		b, ends = s.link.take(timed, b, ends)
		s.out(b, ends)
		more := len(ends)
		for i := range s.boxes {
			spare, spareAt = s.boxes[i].swap(spare, spareAt)
			s.payloads(spare, spareAt)
			more += len(spareAt)
		}
		ticked = false
		if more > 0 { // there may be more already, for as long as players send
			select {
			case <-tick.C:
				ticked = true
			default:
			}
			continue
		}
		s.asleep.Store(true)
		if s.pending() { // it came before asleep was true
			if s.asleep.CompareAndSwap(true, false) {
				continue
			}
			<-s.wake
			continue
		}
		select {
		case <-s.wake:
		case <-tick.C:
			ticked = true
			if !s.asleep.CompareAndSwap(true, false) {
				<-s.wake
			}
		case <-s.closing:
			s.last(b[:0], ends[:0])
			return
		}
	}
}

// last sends what is left, that everybody has left for instance, until the game has confirmed it, or no
// more of it for Silence: players have been told that their messages have arrived.
func (s *Sidecar) last(b []byte, ends []int) {
	least, since := math.MaxInt, time.Now()
	s.link.hurry(since) // else what was lost just now may be due after Silence
	for {
		now := time.Now()
		b, ends = s.link.take(now, b[:0], ends[:0])
		s.out(b, ends)
		for i := range s.boxes {
			s.payloads(s.boxes[i].swap(nil, nil))
		}
		n, _ := s.link.waiting()
		if n < least {
			least, since = n, now
		}
		if n == 0 || now.Sub(since) > s.config.Silence {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// pending reports whether there is something to send at once.
func (s *Sidecar) pending() bool {
	for i := range s.boxes {
		if s.boxes[i].some() {
			return true
		}
	}
	return s.link.some() || s.greet.Load()
}

// String returns where the game is.
func (s *Sidecar) String() string {
	return fmt.Sprintf("game at %s, sidecar at %s", s.config.Game, s.config.Own)
}
