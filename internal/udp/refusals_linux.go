package udp

import (
	"net"

	"golang.org/x/sys/unix"
)

// ReportRefusals has a socket report, or no longer, what ICMP says about its datagrams: a read or a
// write fails with ECONNREFUSED after a datagram to a port on which nobody listens, and loses nothing
// but a datagram. Without it only a connected socket does. Where conn is no *net.UDPConn nothing
// happens.
func ReportRefusals(conn net.PacketConn, on bool) {
	socket, ok := conn.(*net.UDPConn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	value := 0
	if on {
		value = 1
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, value) // also for IPv4 on a socket of both
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, value)
	})
}
