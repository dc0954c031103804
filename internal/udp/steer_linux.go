package udp

import (
	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/record"
)

// byAddress is a socket that no port has: the kernel then chooses by address, as
// it does without a program.
const byAddress = 0xffffffff

// steering is the classic BPF program that the kernel asks which of a port's
// sockets a datagram is for: that of the shard which its connection id names. It looks at
// this of the payload, in network order:
//
//	offset size
//	     0    1  content type
//	     7    4  low 32 bits of the record number
//	    13    4  connection id
//	    17    4  low 32 bits of the record number
//
// A peer without a connection id makes explicit nonces as it likes, and some stacks begin
// them at random: a connection id is one only with the record number behind it.
func steering(shards int) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},                                            // the payload's length
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: record.Overhead, Jf: 11},               // too short for a record: by address
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0},                                      // the content type
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(record.ApplicationData), Jf: 9}, // another one: by address
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 7},                                      // the record number,
		{Code: unix.BPF_MISC | unix.BPF_TAX},                                                       // kept,
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 17},                                     // and what follows a connection id
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_X, Jf: 5},                                    // something else: by address
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 13},                                     // the connection id
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: 0x0001ffff, Jf: 3},                     // none begins with 0 or 1: by address
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: ShardMask},                             // its part that names a shard,
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(shards)},                        // of as many as there are
		{Code: unix.BPF_RET | unix.BPF_A},                                                          // that shard's socket
		{Code: unix.BPF_RET | unix.BPF_K, K: byAddress},                                            // the socket that the address has
	}
}

// Steer has the kernel give what has a connection id to the shard that it names, among all
// sockets of the port: it numbers them as they were bound, the first one too. With
// a kernel that refuses, datagrams cross.
func (s *native) Steer(shards int) {
	filter := steering(shards)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_ = unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
}

// Unite has the kernel give everything to the first socket of the port from now on. With
// one that refuses, some of what comes before the others are closed is lost.
func (s *native) Unite() {
	filter := [...]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_ = unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
}

// Unsteer has the kernel go by address again, as one does that refuses to look at
// connection ids: tests have datagrams cross by it.
func (s *native) Unsteer() error {
	return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
}
