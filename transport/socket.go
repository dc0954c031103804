package transport

import (
	"net/netip"
	"time"
)

// packet is a datagram and the flow of which it is.
type packet struct {
	addr  flow // unmapped: never an IPv4 address in IPv6 form
	buf   []byte
	stamp int64 // when it was received, Unix ns by the system's clock; 0 if that is unknown
}

// socket is a UDP socket as a shard uses it.
type socket interface {
	// receive returns what has arrived, at most maxReceive datagrams, and never
	// waits. The packets are borrowed: they are valid, and the caller may write
	// to them, until the next receive. Owner: the shard's turn.
	receive() []packet

	// wait returns when a datagram may have arrived, wake has been called, or
	// the time is over. With share other goroutines have work to do meanwhile, and
	// get the processor at once. Owner: the shard's loop.
	wait(timeout time.Duration, share bool)

	// wake ends a wait, or the next one. Safe for concurrent use.
	wake()

	// send sends packets in order, many with one system call where that is
	// possible. A datagram that the network refuses is lost, as any may be.
	// Owner: the outbox.
	send(packets []packet)

	// sendOne sends one packet at once. Safe for concurrent use.
	sendOne(p packet)

	localAddr() netip.AddrPort

	// several reports whether datagrams come to several addresses of ours, and packets
	// say to which; constant.
	several() bool

	// stats is safe for concurrent use.
	stats() SocketStats

	// close ends a wait and returns when nothing of the socket runs any more.
	// Nothing may be called during or after it but wake and stats.
	close() error
}

// SocketStats is what is known of a server's UDP sockets, all together.
type SocketStats struct {
	// Shards is how many sockets share the port.
	Shards int `json:"shards"`
	// ReceiveBuffer and SendBuffer are the kernel's buffers in bytes, as it
	// accounts for them: about twice the payload that fits. Zero means unknown.
	ReceiveBuffer int `json:"receive_buffer"`
	SendBuffer    int `json:"send_buffer"`
	// Overflow is how many datagrams were lost because nobody took them in time.
	Overflow uint64 `json:"overflow"`
}

func (s *SocketStats) add(o SocketStats) {
	s.Shards += o.Shards
	s.ReceiveBuffer += o.ReceiveBuffer
	s.SendBuffer += o.SendBuffer
	s.Overflow += o.Overflow
}

// newBatch makes n packets with buffers that hold any datagram.
func newBatch(n int) []packet {
	packets, memory := make([]packet, n), make([]byte, n*bufferLen)
	for i := range packets {
		packets[i].buf = memory[i*bufferLen : i*bufferLen : (i+1)*bufferLen]
	}
	return packets
}
