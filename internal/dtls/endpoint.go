package dtls

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
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
	shards
	config    Config      // constant
	sharing   udp.Sharing // the first shard's socket, nil if that cannot share its port; constant
	admission *admission  // constant
	tokens    retry.Keys
	flood     flood
	shared    bool // the shards stay; owned by the first shard's turn
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
	e.list.Store(&[]*Shard{first})
	_ = e.Share(false) // as far as it goes: share(true) needs them all, and says what is wrong
	return e
}

func (e *Endpoint) NewShard(sock udp.Socket, index int) *Shard {
	s := newShard(e, sock, index)
	s.User = e.config.NewUser(s)
	return s
}

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
