package attack

import (
	"math/rand/v2"
	"net"
)

// placePort lies below the ports that systems give to sockets that do not ask for one.
const placePort = 9009

// place returns a local address to which an attacker can come back after its socket has been
// closed, since no other socket is given it meanwhile: an address of 127.0.0.0/8 for this attacker
// alone. It returns nil, any address, for a server elsewhere and on systems that have only
// 127.0.0.1.
func place(server string) net.Addr {
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil || !to.IP.IsLoopback() || to.IP.To4() == nil {
		return nil
	}
	n := rand.Uint32()
	local := &net.UDPAddr{IP: net.IPv4(127, 1+byte(n>>16)&0x7f, byte(n>>8), byte(n)), Port: placePort}
	socket, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil
	}
	_ = socket.Close() // nothing has been sent
	return local
}
