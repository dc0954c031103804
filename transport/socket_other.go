//go:build !linux

package transport

import "net"

// flowsOf returns nil: nothing here can tell to which address a datagram has come.
func flowsOf(net.PacketConn) flowConn { return nil }

// listenUDP makes a portable socket.
func listenUDP(address string) (socket, error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	return newPortable(conn), nil
}
