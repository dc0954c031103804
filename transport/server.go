package transport

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Server is the match server's end: one UDP port and the players behind it. Its
// methods are safe for concurrent use.
type Server struct {
	config Config        // constant
	gate   *machine.Gate // constant
	lanes  *lanes.Table  // nil without Config.Lanes; constant
	clock  *clock        // constant; checked in the first shard's turn

	endpoint      *dtls.Endpoint // constant
	certificate   atomic.Pointer[tls.Certificate]
	destination   atomic.Pointer[string] // of Drain; nil before
	sessions      population
	verifications *verifications
	audit         auditing
	outages       outages
	closedSockets closedSockets
	filtering     *filtering // nil without Config.Filter; constant
	handover      handover
	lifetime      lifetime
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
		return nil, badField("Session", err)
	}
	table, err := tableOf(config.Lanes)
	if err != nil {
		return nil, err
	}
	sock, err := listen(address, config.Conn)
	if err != nil {
		return nil, err
	}
	var carrier *udp.Carrier
	if config.Also != nil {
		carrier = udp.NewCarrier(config.Also)
	}
	s := &Server{config: config, gate: gate, lanes: table, clock: newClock()}
	s.audit.init(&config, s.clock)
	if table != nil {
		gate.UseLanes(table, s.clock.now)
	}
	s.certificate.Store(&config.Certificate)
	below := endpointConfig(s)
	below.Carrier = carrier
	if config.Filter != nil {
		s.filtering = newFiltering()
		below.Known = s.filtering.put
	}
	s.endpoint = dtls.New(sock, below)
	s.verifications = newVerifications(s.endpoint.Context(), config.Verifier, cmp.Or(config.Verifications, runtime.GOMAXPROCS(0)))
	warnOfAddresses(s)
	warnOfKeyLog(s)
	s.handover.server = s
	if config.Snapshot != "" {
		s.handover.takeOver()
	}
	if f := s.filtering; f != nil {
		f.wg.Go(func() { f.run(s.endpoint.Context(), config.Filter, s) })
	}
	return s, nil
}

// endpointConfig is what the server wants of what is below it.
func endpointConfig(s *Server) dtls.Config {
	c := &s.config
	return dtls.Config{
		Handshake: handshake.Config{
			Certificate: s.certificate.Load, ClientAuth: c.ClientAuth, ClientCAs: c.ClientCAs,
			KeyLog: newKeyLog(c.KeyLog, func() {
				s.audit.now(audit.Event{Decision: audit.Alarm, Detail: "the key log's writer has panicked, and gets no more lines"})
			}),
		},
		HandshakeTimeout: c.HandshakeTimeout, ConfirmTimeout: proofTimeout, MaxHandshakes: c.MaxHandshakes,
		Sources: c.Sources, Live: max(cmp.Or(c.Session.MaxSessions, session.DefaultMaxSessions), 0),
		ChallengeLen: challengeLen, Window: c.Session.Window, Shards: c.Shards,
		Vouch: vouch(c.Session.FleetKeys, s.clock.at),
		Now:   s.clock.now, Wall: func() time.Time { return s.clock.wall() },
		NewUser: func(l *dtls.Shard) dtls.User { return newShard(s, l) }, Flooded: s.audit.flood,
	}
}

// vouch returns what opens a ticket that a player shows before a handshake. What comes of it is a
// place in that, and nothing more: the ticket is judged when HELLO shows it.
func vouch(keys *fleetkey.Ring, wall func(now time.Time) time.Time) func(time.Time, []byte) ([16]byte, [32]byte, bool) {
	return func(now time.Time, ticket []byte) (session [16]byte, key [32]byte, ok bool) {
		t, err := resume.OpenTicket(keys, wall(now), ticket)
		if err != nil {
			return session, key, false
		}
		key, err = retry.ReturnKey(&t.Key)
		clear(t.Key[:])
		return t.Name, key, err == nil
	}
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
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("transport: the address to listen on must be host:port or :port, such as \":7777\": %w", err)
	}
	return udp.Listen(address)
}

// shards is every shard, the first one first.
func (s *Server) shards(yield func(*shard) bool) {
	for _, l := range s.endpoint.All() {
		if !yield(shardOf(l)) {
			return
		}
	}
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() netip.AddrPort { return s.endpoint.First().Socket.LocalAddr() }

// SetCertificate presents cert in every handshake that begins from now on. A certificate that no
// handshake could use, whose key does not match or that has expired is refused, and the one in use
// stays; the error matches ErrConfig.
func (s *Server) SetCertificate(cert tls.Certificate) error {
	if err := checkCertificate(&cert); err != nil {
		return err
	}
	s.certificate.Store(&cert)
	s.audit.now(audit.Event{Decision: audit.KeyRotation, Detail: "the server's certificate"})
	return nil
}

// Broadcast sends payload to every player, as Player.Send does to one. The error is
// session.ErrTooLarge for more than MaxPayload bytes, which are sent to nobody;
// with anything else a player who cannot be reached is passed over.
func (s *Server) Broadcast(payload []byte) error {
	if len(payload) > MaxPayload {
		return session.ErrTooLarge
	}
	for sh := range s.shards {
		sh.broadcast(payload)
	}
	return nil
}
