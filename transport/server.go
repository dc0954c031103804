package transport

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Server is the match server's end: one UDP port and the players behind it. Its
// methods are safe for concurrent use.
type Server struct {
	config    Config           // constant
	handshake handshake.Config // constant
	gate      *machine.Gate    // constant
	clock     *clock           // constant; checked in the first shard's turn

	// machine makes what runs on a new association; constant.
	machine func(now time.Time, a *association, r *handshake.Result) serverMachine
	proof   time.Duration // how long keys wait for the first record that opens under them; constant

	certificate   atomic.Pointer[tls.Certificate]
	admission     *admission // constant
	sessions      population
	flood         flood
	verifications *verifications
	shards        atomic.Pointer[[]*shard] // at least one; Serve may add some before it begins, Poll takes all but one away
	shared        bool                     // Serve has begun, so they stay; owned by the first shard's turn
	buffers       sync.Pool                // of *[bufferLen]byte, for crossings
	restored      []*resume.Session        // until the first turn
	inherits      bool                     // some were; constant
	settled       sync.Once                // they have been given to their shards

	ctx    context.Context // done when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup // handshakes; Close waits

	mu sync.Mutex // beginning and end of Serve and Close
	// +checklocks:mu
	serving bool
	closed  atomic.Bool    // set under mu
	loops   sync.WaitGroup // Serve, which begins under mu; Close waits
}

// Listen makes a server on a UDP address such as ":7777", or on Config.Conn. It
// answers nobody before Serve or Poll is called. Close it when done. Errors are those of the
// socket, or match ErrConfig.
func Listen(address string, config Config) (*Server, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if v, ok := config.Verifier.(unverifier); ok && config.Session.Unverified == nil {
		config.Session.Unverified = v.Unverified
	}
	gate, err := machine.NewGate(config.Session)
	if err != nil {
		return nil, fmt.Errorf("%w: Session: %w", ErrConfig, err)
	}
	sock, err := listen(address, config.Conn)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, gate: gate, clock: newClock(), proof: proofTimeout}
	s.admission = newAdmission(&s.config)
	s.buffers.New = func() any { return new([udp.BufferLen]byte) }
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.machine = func(now time.Time, a *association, r *handshake.Result) serverMachine {
		a.match.Init(gate, now, channel(r), a.addr.Addr())
		a.hint = a.shard.newHint()
		a.match.SetHint(a.hint)
		return &a.match
	}
	s.certificate.Store(&config.Certificate)
	s.handshake = handshake.Config{
		Certificate: s.certificate.Load, ClientAuth: config.ClientAuth, ClientCAs: config.ClientCAs,
	}
	s.verifications = newVerifications(s.ctx, config.Verifier, cmp.Or(config.Verifications, runtime.GOMAXPROCS(0)))
	s.shards.Store(&[]*shard{newShard(s, sock, 0)})
	_ = s.share(false) // as far as it goes: Serve needs them all, and says what is wrong
	s.warnOfAddresses()
	if config.Snapshot != "" {
		s.takeOver()
	}
	return s, nil
}

// unverifier is what a Verifier may have besides; see session.Config.Unverified.
type unverifier interface {
	Unverified(now time.Time, raw []byte) (*token.Claims, error)
}

// listen makes the first socket.
func listen(address string, conn net.PacketConn) (udp.Socket, error) {
	if conn != nil {
		return udp.NewPortable(conn), nil
	}
	return udp.Listen(address)
}

// random draws 32 bits that nobody can guess.
func (s *Server) random() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// first is the shard that Poll works.
func (s *Server) first() *shard { return (*s.shards.Load())[0] }

// Addr is the address that the server listens on.
func (s *Server) Addr() netip.AddrPort { return s.first().socket.LocalAddr() }

// SetCertificate shows cert in every handshake that begins from now on. One that no
// handshake could use, whose key is another's or which has expired, is refused, and
// the one in use stays; the error matches ErrConfig.
func (s *Server) SetCertificate(cert tls.Certificate) error {
	if err := checkCertificate(&cert); err != nil {
		return err
	}
	s.certificate.Store(&cert)
	s.config.Audit.Record(audit.Event{
		Time: s.clock.at(s.clock.now()), Decision: audit.KeyRotation, Version: version, Detail: "the server's certificate",
	})
	return nil
}

// Broadcast sends payload to every player, as Player.Send does to one. The error is
// session.ErrTooLarge for more than MaxPayload bytes, which are sent to nobody;
// with anything else a player who cannot be reached is passed over.
func (s *Server) Broadcast(payload []byte) error {
	if len(payload) > MaxPayload {
		return session.ErrTooLarge
	}
	for _, sh := range *s.shards.Load() {
		sh.broadcast(payload)
	}
	return nil
}

func (s *shard) broadcast(payload []byte) {
	s.players.mu.RLock()
	defer s.players.mu.RUnlock()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	list := s.players.list
	for i, p := range list {
		if i%prefetchLen == 0 && len(list) >= prefetchFrom {
			s.out.prefetch(list[i:min(i+prefetchLen, len(list))])
		}
		if !p.gone.Load() {
			_ = s.out.put(p.association, p.association.addr, wire.KindData, payload) // a lost datagram
		}
	}
	s.out.release()
}
