package udp

import (
	"net"
	"net/netip"

	"github.com/sallyport/sallyport/internal/addrtable"
)

// Carrier is a net.PacketConn that takes datagrams where UDP does not pass. Its flows are marked as
// addrtable.Carried, so that whatever sends by one of the sockets that Beside and Apart make reaches
// each peer by the carrier that the peer's flow belongs to.
type Carrier struct{ in *portable }

// NewCarrier makes a Carrier of conn, which it then owns. Its WriteTo is called by several goroutines
// at once, and must not block.
func NewCarrier(conn net.PacketConn) *Carrier {
	return &Carrier{in: newPortable(conn, addrtable.Carried)}
}

// Beside returns sock, which sends what belongs to flows of the carrier by that. It receives no more than
// sock does.
func (c *Carrier) Beside(sock Socket) Socket { return beside{sock, c} }

// Apart returns the socket of a shard that has the carrier to itself. It sends what belongs to other
// flows by sock, one datagram at a time. Closing it closes the carrier, not sock.
func (c *Carrier) Apart(sock Socket) Socket { return apart{c.in, sock} }

// Receive is that of a Socket.
func (c *Carrier) Receive() []Packet { return c.in.Receive() }

// WakesToo has sock woken, too, whenever a datagram comes. Safe for concurrent use.
func (c *Carrier) WakesToo(sock Socket) { c.in.waker.Store(&sock) }

// Overflow is how many datagrams were lost because nobody took them in time. Safe for concurrent use.
func (c *Carrier) Overflow() uint64 { return c.in.drops.Load() }

// Closed reports whether nothing is received any more. Safe for concurrent use.
func (c *Carrier) Closed() bool { return c.in.deaf.Load() }

// Close ends the carrier; see Socket.
func (c *Carrier) Close() error { return c.in.Close() }

// beside is what Beside returns.
type beside struct {
	Socket

	carrier *Carrier
}

func (s beside) Send(packets []Packet) {
	for len(packets) > 0 {
		n := 0
		for n < len(packets) && packets[n].Addr.Local != addrtable.Carried {
			n++
		}
		if n > 0 {
			s.Socket.Send(packets[:n])
			packets = packets[n:]
			continue
		}
		s.carrier.in.SendOne(packets[0])
		packets = packets[1:]
	}
}

func (s beside) SendOne(p Packet) {
	if p.Addr.Local == addrtable.Carried {
		s.carrier.in.SendOne(p)
		return
	}
	s.Socket.SendOne(p)
}

// apart is what Apart returns.
type apart struct {
	*portable

	sock Socket
}

func (s apart) Send(packets []Packet) {
	for i := range packets {
		s.SendOne(packets[i])
	}
}

func (s apart) SendOne(p Packet) {
	if p.Addr.Local == addrtable.Carried {
		s.portable.SendOne(p)
		return
	}
	s.sock.SendOne(p)
}

// LocalAddr and Multihomed are those of the UDP socket: they say what is known of flows that are not
// the carrier's.
func (s apart) LocalAddr() netip.AddrPort { return s.sock.LocalAddr() }

func (s apart) Multihomed() bool { return s.sock.Multihomed() }

// Stats is empty: Overflow of the Carrier counts, whoever receives from it.
func (s apart) Stats() Stats { return Stats{} }
