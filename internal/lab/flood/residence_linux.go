package flood

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// An input has one of lengths lengths, and its answer has the same: so the two are known to belong
// together although nobody can read them.
const (
	lengths  = 32
	shortest = 8 + record.Overhead + wire.HeaderLen + payload // of a UDP datagram that holds an input
)

// residence measures how long the server has inputs, by a packet socket on the loopback interface.
type residence struct {
	fd      int
	port    uint16
	reading sync.WaitGroup

	mu sync.Mutex
	// +checklocks:mu
	waiting map[flight]int64 // ns; inputs without an answer
	// +checklocks:mu
	took []time.Duration
}

// flight is an input of a player that has not been answered.
type flight struct {
	addr   [4]byte
	port   uint16
	length uint16
}

// measure begins to measure. The error is that of a process that must not.
func measure(port uint16) (*residence, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("a packet socket: %w", err)
	}
	r := &residence{fd: fd, port: port, waiting: make(map[flight]int64)}
	if err := r.open(); err != nil {
		_ = unix.Close(fd) // err says more
		return nil, fmt.Errorf("a packet socket: %w", err)
	}
	r.reading.Go(r.read)
	return r, nil
}

// open sets the socket up: first its filter, then where it listens.
func (r *residence) open() error {
	filter := r.filter()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	wait := unix.NsecToTimeval(int64(100 * time.Millisecond))
	err := errors.Join(
		unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program),
		unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20),
		unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
	)
	if err != nil {
		return err
	}
	const loopback = 1 // the interface's index, in every network namespace
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IP), Ifindex: loopback})
}

// networkOrder returns v as it lies in memory when its first byte is the higher one.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// headers is how much of a packet is looked at: IPv4, without options, and UDP.
const headers = 20 + 8

// filter lets UDP datagrams pass that are as long as inputs, hold application data, and come from or
// go to the server; each once, on its way in.
func (r *residence) filter() []unix.SockFilter {
	const (
		loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		least    = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K

		packetType = 0xfffff000 + 4 // SKF_AD_OFF + SKF_AD_PKTTYPE
	)
	return []unix.SockFilter{
		{Code: loadByte, K: packetType},
		{Code: equal, K: unix.PACKET_OUTGOING, Jt: 13},
		{Code: loadByte, K: 0},
		{Code: equal, K: 0x45, Jf: 11}, // IPv4 without options
		{Code: loadByte, K: 9},
		{Code: equal, K: unix.IPPROTO_UDP, Jf: 9},
		{Code: loadHalf, K: 24}, // length
		{Code: least, K: shortest, Jf: 7},
		{Code: least, K: shortest + lengths, Jt: 6},
		{Code: loadByte, K: headers},
		{Code: equal, K: uint32(record.ApplicationData), Jf: 4},
		{Code: loadHalf, K: 20}, // from port
		{Code: equal, K: uint32(r.port), Jt: 3},
		{Code: loadHalf, K: 22}, // to port
		{Code: equal, K: uint32(r.port), Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: headers},
	}
}

// read reads until the socket is closed.
func (r *residence) read() {
	packet, control := make([]byte, headers), make([]byte, 128)
	for {
		n, cn, _, _, err := unix.Recvmsg(r.fd, packet, control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		case n == headers:
			r.note(packet, stamp(control[:cn]))
		}
	}
}

// stamp is the kernel's time in a control message; 0 if there is none.
func stamp(control []byte) int64 {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
		}
	}
	return 0
}

// note takes an input's time, or an answer's.
func (r *residence) note(packet []byte, at int64) {
	f := flight{length: binary.BigEndian.Uint16(packet[24:])}
	in := binary.BigEndian.Uint16(packet[22:]) == r.port
	if in {
		f.addr, f.port = [4]byte(packet[12:16]), binary.BigEndian.Uint16(packet[20:])
	} else {
		f.addr, f.port = [4]byte(packet[16:20]), binary.BigEndian.Uint16(packet[22:])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if in {
		r.waiting[f] = at
		return
	}
	if came, ok := r.waiting[f]; ok {
		delete(r.waiting, f)
		r.took = append(r.took, time.Duration(at-came))
	}
}

// again forgets what has been measured, and returns it.
func (r *residence) again() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	took := r.took
	r.took = nil
	slices.Sort(took)
	return took
}

func (r *residence) close() {
	_ = unix.Close(r.fd) // nothing is lost with it
	r.reading.Wait()
}
