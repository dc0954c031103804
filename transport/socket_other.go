//go:build !linux

package transport

import "net"

// listenUDP makes a portable socket.
func listenUDP(address string) (socket, error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	return newPortable(conn), nil
}
