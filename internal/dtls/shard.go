package dtls

import (
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
)

// Shard is one socket and the connections that live on it. All of it but the
// outbox, the mailbox and the counters belongs to whoever runs its turns.
type Shard struct {
	constants
	Turns Turns

	// PeersFirst has what begins a handshake wait for Greet. It belongs to the turn.
	PeersFirst bool

	Table      Table
	Handshakes Handshakes
	greetings  greetings
	forwarding forwarding
	roaming    roaming
	waiting    waiting // of the datagram that is handled
	sweeping   sweeping
	Out        Outbox
	carrier    *udp.Carrier // is received from, too; nil unless this shard is the only one
	mailbox
	counts
}

// constants are what a shard is given when it is made.
type constants struct {
	Endpoint *Endpoint
	Socket   udp.Socket
	Index    int // in Endpoint.All
	local    net.Addr
	User     User
	Carries  bool // Socket is the carrier's, not one of those that share the port
}

// User is what is above a shard. It is called in the shard's turn.
type User interface {
	// Accept makes the user of a connection whose keys are there, of a handshake that began at
	// began. Nothing has been confirmed yet.
	Accept(began, now time.Time, addr udp.Flow, r *handshake.Result) *Conn

	// Failed is told why a handshake has failed whose address is proven.
	Failed(began, now time.Time, addr udp.Flow, err error)

	// Turned is called in each turn, when all that has arrived is handled.
	Turned(now time.Time)

	// Prefetch reads the memory that a connection's user needs for a record.
	Prefetch(c *Conn, stage int) byte
}

func newShard(e *Endpoint, sock udp.Socket, index int) *Shard {
	s := &Shard{
		constants: constants{Endpoint: e, Socket: sock, Index: index, local: net.UDPAddrFromAddrPort(sock.LocalAddr())},
		Turns:     make(Turns, 1), Table: newTable(), mailbox: mailbox{wakes: sock},
		forwarding: forwarding{queue: make(chan forwarded, maxForwarded), buffers: &e.buffers},
	}
	s.Handshakes = newHandshakes(s)
	s.Handshakes.proofs.minter = retry.NewMinter(&e.tokens)
	w := &s.waiting
	w.now, w.system = e.config.Now, e.config.Wall
	w.ran = w.now()
	w.begin(w.ran, w.system())
	w.emptied(w.ran)
	s.Out.socket, s.Out.batch = sock, udp.NewBatch(udp.BatchLen)
	return s
}

// NewConn takes over from the engine of a handshake that began at began.
func (s *Shard) NewConn(began, now time.Time, addr udp.Flow, r *handshake.Result) (*Conn, error) {
	c := s.User.Accept(began, now, addr, r)
	return c, c.takeOver(now, s, addr, r)
}

// Close sends what has been collected, and closes the socket. Where there is a carrier, shards send by
// each other's sockets: the outboxes of all are closed before the first shard is.
func (s *Shard) Close() error {
	s.Out.Close()
	err := s.Socket.Close()
	if s.carrier != nil {
		err = errors.Join(err, s.carrier.Close())
	}
	return err
}
