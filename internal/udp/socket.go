package udp

import (
	"net/netip"
	"time"
)

// Packet is a datagram and the flow it belongs to.
type Packet struct {
	Addr  Flow // unmapped: never an IPv4 address in IPv6 form
	Buf   []byte
	Stamp int64 // when it was received, Unix ns by the system's clock; 0 if that is unknown
}

// Socket is a UDP socket as a shard uses it.
type Socket interface {
	// Receive returns what has arrived, a batch at most, and never waits. The packets are
	// borrowed: they are valid, and the caller may write to them, until the next Receive.
	// Owner: the shard's turn.
	Receive() []Packet

	// Wait returns when a datagram may have arrived, Wake has been called, or the time is
	// over. With share other goroutines have work to do meanwhile, and get the processor at
	// once. Owner: the shard's loop.
	Wait(timeout time.Duration, share bool)

	// Wake ends a Wait, or the next one. Safe for concurrent use.
	Wake()

	// Send sends packets in order, many with one system call where that is possible. A
	// datagram that the network refuses is lost, as any may be. Owner: the outbox.
	Send(packets []Packet)

	// SendOne sends one packet at once. Safe for concurrent use.
	SendOne(p Packet)

	// LocalAddr is the address that the socket is bound to.
	LocalAddr() netip.AddrPort

	// Multihomed reports whether datagrams come to several addresses of this host, and
	// packets say to which; constant.
	Multihomed() bool

	// Stats is safe for concurrent use.
	Stats() Stats

	// Close ends a Wait and returns when nothing of the socket runs any more. Nothing may be
	// called during or after it but Wake and Stats.
	Close() error
}

// Sharing is a socket that can share its port with others.
type Sharing interface {
	// Sibling makes another socket on the same port. The kernel shares out clients by
	// address.
	Sibling() (Socket, error)

	// Steer has the kernel give a record with a connection id to the socket of the shard that
	// the id names. A kernel that refuses goes on by address.
	Steer(shards int)

	// Unite has the kernel give everything to the first socket of the port.
	Unite()
}

// Shed has a socket keep of the handshake records of DTLS epoch 0 one in 2^level, by lot, and
// everything else: what is shed costs neither the receive buffer nor this process anything. Level 0
// keeps all. It does so where the system can (Linux), and is safe for concurrent use. While a socket sheds,
// Shed is called once a second, with the same level too: Stats.Overflow is as of then.
func Shed(s Socket, level int) {
	if b, ok := s.(beside); ok {
		s = b.Socket
	}
	if shedder, ok := s.(interface{ Shed(level int) }); ok {
		shedder.Shed(level)
	}
}

// Stats is what is known of a socket. Zero means unknown.
type Stats struct {
	// ReceiveBuffer and SendBuffer are the kernel's buffers in bytes, as it accounts for
	// them: about twice the payload that fits.
	ReceiveBuffer, SendBuffer int
	// Waiting is what of the receive buffer is in use, in the same bytes.
	Waiting int
	// Overflow is how many datagrams were lost because nobody took them in time. What the socket has shed
	// is none of them: while it sheds, this is an estimate, as of the last Shed.
	Overflow uint64
	// Closed says that somebody else has closed the socket: nothing is received any more.
	Closed bool
}

// NewBatch makes n packets with buffers that hold any datagram.
func NewBatch(n int) []Packet {
	packets, memory := make([]Packet, n), make([]byte, n*BufferLen)
	for i := range packets {
		packets[i].Buf = memory[i*BufferLen : i*BufferLen : (i+1)*BufferLen]
	}
	return packets
}
