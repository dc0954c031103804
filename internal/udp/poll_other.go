//go:build !linux

package udp

import (
	"net"
	"net/netip"
)

// poller asks the kernel for a datagram. Here there is none: see Conn.TryRead.
type poller struct{}

func newPoller(net.PacketConn) *poller { return nil }

func (*poller) read([]byte) (int, netip.AddrPort, error) { panic("udp: no poller") }
