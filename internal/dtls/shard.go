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
	Endpoint *Endpoint  // constant
	Socket   udp.Socket // constant
	Index    int        // in endpoint.shards, constant
	local    net.Addr   // constant
	User     User       // constant
	Carries  bool       // Socket is the carrier's, not one of those that share the port; constant

	Turns Turns

	// PeersFirst has what begins a handshake wait for Greet. It belongs to the turn.
	PeersFirst bool

	Table      Table
	Handshakes Handshakes
	greetings  greetings
	forwarding forwarding
	hears      func(c *Conn) bool // while it drains, whom it still hears; nil for everybody
	from       udp.Flow           // while a datagram is handled that comes from elsewhere than its connection's address
	waiting    waiting            // of the datagram that is handled
	sweeping   sweeping
	Out        Outbox
	carrier    *udp.Carrier // is received from, too; nil unless this shard is the only one
	mail       mailbox
	counts     counts
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
		Endpoint: e, Socket: sock, Index: index, local: net.UDPAddrFromAddrPort(sock.LocalAddr()),
		Turns: make(Turns, 1), Table: newTable(),
		forwarding: forwarding{queue: make(chan forwarded, maxForwarded)},
	}
	s.Handshakes = newHandshakes(s)
	s.Handshakes.proofs.minter = retry.NewMinter(&e.tokens)
	s.waiting.ran = e.config.Now()
	s.waiting.begin(s.waiting.ran, e.config.Wall())
	s.waiting.emptied(s.waiting.ran)
	s.Out.socket, s.Out.batch = sock, udp.NewBatch(udp.BatchLen)
	return s
}

// Post has a message delivered in the shard's next turn, which comes soon.
func (s *Shard) Post(m Message) {
	s.mail.put(m)
	s.Socket.Wake()
}

// Delivered acts on the messages that have come, and reports whether there were any: they may have
// brought others.
func (s *Shard) Delivered(now time.Time) (some bool) {
	messages := s.mail.take()
	acted := 0
	defer func() { s.mail.putBack(messages[acted:]) }() // a handler has panicked: the next turn has the rest
	for _, m := range messages {
		acted++
		m.Deliver(now)
	}
	return len(messages) > 0
}

// Undelivered takes the messages that no turn will act on, because the shard closes.
func (s *Shard) Undelivered() []Message { return s.mail.take() }

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
