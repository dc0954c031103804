//go:build !linux

package udp

import (
	"fmt"
	"net"
)

// flowsOf returns nil: nothing here can tell to which address a datagram has come.
func flowsOf(net.PacketConn) flowConn { return nil }

// Listen makes a portable socket.
func Listen(address string) (Socket, error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	return NewPortable(conn), nil
}
