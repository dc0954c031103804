package udp

import (
	"math"
	"sync/atomic"

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

// shed is what a socket sheds, and what the kernel's count of drops says of what it has lost: the kernel
// counts what the program drops, too.
type shed struct {
	level atomic.Int32  // changed under native.mu
	kept  atomic.Uint64 // messages that the program has drawn, since the last account

	// Guarded by native.mu.
	drops    uint32 // the kernel's count at the last account
	overflow uint64 // until then
}

// Shed has the kernel keep of the handshake records of epoch 0 one in 2^level, or all with level 0, and brings
// Stats.Overflow up to date. It needs no privilege; a kernel that refuses keeps them all.
func (s *native) Shed(level int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if level == 0 {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	}
	if info, ok := s.meminfo(); ok {
		s.shed.account(info[drops])
	}
	if s.shed.level.Swap(int32(level)) == int32(level) || level == 0 {
		return
	}
	filter := shedding(level)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_ = unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
}

// account takes the kernel's count of drops: what the program cannot have dropped has overflowed. While the
// socket sheds that is an estimate, at least so many: of each handshake record that is lost behind the
// program, 2^level - 1 before it had been dropped.
func (s *shed) account(drops uint32) {
	n := uint64(drops - s.drops)
	s.drops = drops
	if level := s.level.Load(); level > 0 {
		n -= min(n, mostShed(s.kept.Swap(0), int(level)))
		n = (n + 1<<level - 1) >> level
	}
	s.overflow += n
}

// mostShed is how many messages a lot of one in 2^level drops at most while it draws n: more in a millionth of
// cases.
func mostShed(n uint64, level int) uint64 {
	return (n+2)<<level + uint64(8*math.Sqrt(float64(n+2)))<<level
}

// draws notes a message that the program may have drawn.
func (s *shed) draws(b []byte) {
	if len(b) >= record.HeaderLen && b[0] == byte(record.Handshake) && b[3] == 0 && b[4] == 0 {
		s.kept.Add(1)
	}
}
