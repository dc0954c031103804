// Package udp is the sockets of a server and of a client: datagrams in, datagrams out, and
// nothing of what is in them.
//
// A Socket is one shard's. Listen makes it; on Linux it is a file descriptor of our own, which
// the Go runtime's poller does not know, with recvmmsg and sendmmsg, UDP_GRO and UDP_SEGMENT, the
// kernel's time of receipt, and both addresses of a datagram (a Flow). NewPortable makes one of
// any net.PacketConn: a goroutine reads it into a bounded queue. Sockets that can share a port
// are Sharing. A Carrier takes datagrams beside them where UDP does not pass. Conn is a client's.
package udp
