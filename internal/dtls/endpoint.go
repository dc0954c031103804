package dtls

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
)

// Endpoint is one UDP port: the shards behind it, and what handshakes take of all of them
// together.
type Endpoint struct {
	config    Config      // constant
	sharing   udp.Sharing // the first shard's socket, nil if that cannot share its port; constant
	admission *admission  // constant
	tokens    retry.Keys
	flood     flood
	sheds     atomic.Bool              // sockets keep not all handshake records, for all shards to see
	shards    atomic.Pointer[[]*Shard] // at least one; share may add some, gather takes all but one away
	shared    bool                     // they stay; owned by the first shard's turn
	inherits  bool                     // connections of another process go on here; set before the first turn
	lodgers   lodgers
	buffers   sync.Pool // of *[udp.BufferLen]byte, for what is forwarded

	ctx     context.Context // done when close begins
	cancel  context.CancelFunc
	engines sync.WaitGroup // handshakes
}

// Config is what an Endpoint needs. All of it is constant.
type Config struct {
	Handshake        handshake.Config
	HandshakeTimeout time.Duration
	ConfirmTimeout   time.Duration // how long keys wait for the first record that opens under them
	MaxHandshakes    int           // under way at once, on all shards
	Sources          policy.SourceConfig
	Live             int          // addresses of live peers that have a place of their own
	ChallengeLen     int          // length in bytes of a datagram with a challenge
	Window           int          // records of a connection's replay window; 0 means the default
	Shards           int          // sockets that share the port; 0 means one for each processor
	Carrier          *udp.Carrier // takes datagrams beside UDP; nil without

	// Vouch opens a ticket that a player shows: the name of its session, and the key by which its
	// proof is made. Nil, or false, means that it is worth nothing. It is called in shards' turns.
	Vouch func(now time.Time, ticket []byte) (session [16]byte, key [32]byte, ok bool)

	Now  func() time.Time // time that never steps
	Wall func() time.Time // the system's clock

	NewUser func(l *Shard) User              // makes what is above a shard
	Flooded func(now time.Time, begins bool) // a flood of strangers' datagrams begins or ends
	Known   func(k Known)                    // a peer comes, is still there, moves or goes; called by several goroutines; nil if nobody asks
}

func New(sock udp.Socket, config Config) *Endpoint {
	few := max(config.MaxHandshakes/unprovenShare, minUnproven)
	e := &Endpoint{config: config, admission: &admission{
		most:     int64(config.MaxHandshakes),
		sources:  sources.NewStrangers(config.Sources, few),
		proven:   sources.NewAddresses(config.Sources),
		sessions: sources.NewSessions(config.Live),
		live:     sources.NewLiveAddresses(config.Live, min(few, config.MaxHandshakes/mostUnproven)),
	}}
	e.lodgers = newLodgers(&config)
	e.buffers.New = func() any { return new([udp.BufferLen]byte) }
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.sharing, _ = sock.(udp.Sharing)
	if c := config.Carrier; c != nil {
		sock = c.Beside(sock)
	}
	first := e.NewShard(sock, 0)
	first.carrier = config.Carrier
	e.shards.Store(&[]*Shard{first})
	_ = e.Share(false) // as far as it goes: share(true) needs them all, and says what is wrong
	return e
}

func (e *Endpoint) NewShard(sock udp.Socket, index int) *Shard {
	s := newShard(e, sock, index)
	s.User = e.config.NewUser(s)
	return s
}

// All is every shard, the first one first.
func (e *Endpoint) All() []*Shard { return *e.shards.Load() }

// First is the shard that stays when the others go.
func (e *Endpoint) First() *Shard { return e.All()[0] }

// Home is the shard that a connection id names, nil if there is none. A process that ran more
// shards than this one may have left its ids.
func (e *Endpoint) Home(id uint32) *Shard {
	shards := e.All()
	i := int(id & udp.ShardMask)
	if i >= len(shards) && !e.inherits {
		return nil
	}
	return shards[i%len(shards)]
}

// Inherit has connection ids of another process name shards here. It is called before the first
// turn.
func (e *Endpoint) Inherit() { e.inherits = true }

// Live is where peers live who are no strangers.
func (e *Endpoint) Live() *sources.LiveAddresses { return e.admission.live }

// Sources is what strangers may begin.
func (e *Endpoint) Sources() *sources.Sources { return e.admission.sources }

// Underway is how many handshakes are, on all shards.
func (e *Endpoint) Underway() int64 { return e.admission.underway.Load() - e.admission.kept.Load() }

// Context is done when stop has been called.
func (e *Endpoint) Context() context.Context { return e.ctx }

// Stop ends all handshakes, and every shard's wait.
func (e *Endpoint) Stop() {
	e.cancel()
	for _, s := range e.All() {
		s.Socket.Wake()
	}
}

// Wait returns when no engine runs any more.
func (e *Endpoint) Wait() { e.engines.Wait() }

// random draws 32 bits that nobody can guess.
func random() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// The kernel gives each address to a socket of its own choice among those that share
// the port, and to another one when there are more or fewer. So they are all opened
// before New returns: what has come by then, when nobody could know of the server,
// is forgotten, and nothing is from then on. A user of all shards finds the sockets there,
// and a user of one has everything come to the first.

// Share opens the sockets beside the first, as far as there are none yet, sockets can
// share a port, and nobody has been served; and it gives the carrier a shard of its own. With keep
// they stay.
func (e *Endpoint) Share(keep bool) error {
	first := e.First()
	first.Turns.Begin(nil)
	defer first.Turns.End()
	e.shared = e.shared || keep
	shards, want := e.All(), e.wanted()
	switch served := len(first.Table.order)+len(first.Handshakes.Open) > 0; {
	case served && first.carrier != nil:
		first.carrier.WakesToo(first.Socket) // whoever has come by it lives here
		return nil
	case served, len(shards) >= want:
		return nil
	}
	if err := e.siblings(want); err != nil {
		return err
	}
	for _, s := range e.All() {
		for len(s.Socket.Receive()) > 0 {
		}
	}
	return nil
}

// wanted is how many shards Serve has, the carrier's included.
func (e *Endpoint) wanted() (n int) {
	if n = e.config.Shards; n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	if e.sharing == nil {
		n = 1
	}
	if e.config.Carrier != nil {
		n++
	}
	return min(n, udp.ShardMask+1)
}

// siblings makes as many shards as are wanted. The carrier's is the last: the kernel, which is to give
// a datagram to the shard that its connection id names, knows of the others.
func (e *Endpoint) siblings(want int) error {
	shards, carrier := e.All(), e.config.Carrier
	sockets := want
	if carrier != nil {
		sockets--
	}
	for len(shards) < sockets {
		sock, err := e.sharing.Sibling()
		if err != nil {
			return err
		}
		if carrier != nil {
			sock = carrier.Beside(sock)
		}
		shards = append(slices.Clone(shards), e.NewShard(sock, len(shards)))
		e.shards.Store(&shards)
	}
	if sockets > 1 {
		e.sharing.Steer(sockets)
	}
	if carrier != nil {
		first := shards[0]
		apart := e.NewShard(carrier.Apart(first.Socket), len(shards))
		apart.Carries, first.carrier = true, nil
		shards = append(slices.Clone(shards), apart)
		e.shards.Store(&shards)
	}
	return nil
}

// Gather leaves the endpoint with its first shard, which takes the carrier over, and returns what
// the other ones have got, to be posted to it; nil without. Nobody has been served by them: it does
// nothing after share(true). Owner: the first shard's turn.
func (e *Endpoint) Gather() Message {
	shards := e.All()
	if len(shards) == 1 || e.shared {
		return nil
	}
	first := shards[0]
	if e.sharing != nil {
		e.sharing.Unite()
	}
	var early []udp.Packet
	for _, s := range shards[1:] {
		s.Turns.Begin(nil)
		if s.Carries {
			first.carrier = e.config.Carrier
			s.Turns.End()
			continue
		}
		for packets := s.Socket.Receive(); len(packets) > 0; packets = s.Socket.Receive() {
			for _, p := range packets {
				p.Buf = slices.Clone(p.Buf)
				early = append(early, p)
			}
		}
		_ = s.Close() // nobody has seen it
		s.Turns.End()
	}
	alone := shards[:1:1]
	e.shards.Store(&alone)
	return gathered{first, early}
}

// gathered is what the other shards' sockets have got.
type gathered struct {
	shard *Shard
	early []udp.Packet
}

func (m gathered) Deliver(time.Time) {
	s := m.shard
	now := s.look()
	for _, p := range m.early {
		s.waiting.stamp = p.Stamp
		s.Datagram(now, p.Addr, p.Buf)
	}
	s.waiting.stamp = 0
	s.counts.received.Add(uint64(len(m.early)))
}
