package udp

import (
	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/record"
)

// shedding is the classic BPF program that keeps of the handshake records of epoch 0 one in
// 2^level, by lot, and everything else: the rest never enters the socket's buffer. On a UDP socket a
// program sees the UDP header first (udp(7), 8 bytes), then of the payload, in network order:
//
//	offset size
//	     0    1  content type
//	     3    2  epoch
//
// What has a token in front of it, a live peer's records and connection ids pass.
func shedding(level int) []unix.SockFilter {
	const (
		header = 8
		lot    = 1<<32 - 0x1000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h
	)
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},                                       // the datagram's length
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: header + record.HeaderLen, Jf: 6}, // too short for a record: keep
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: header},                            // the content type
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(record.Handshake), Jf: 4},  // another one: keep
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: header + 3},                        // the epoch
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jf: 2},                         // a later one: keep
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: lot},                               // the lot
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 1<<level - 1, Jt: 1},             // not drawn: drop
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},                                      // keep
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},                                               // drop
	}
}

// Shed has the kernel keep of the handshake records of epoch 0 one in 2^level, or all with level 0.
// It needs no privilege; a kernel that refuses keeps them all.
func (s *native) Shed(level int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if level == 0 {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
		return
	}
	filter := shedding(level)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_ = unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
}
