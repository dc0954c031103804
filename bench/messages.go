//go:build linux

package main

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Lengths of receive buffers in bytes. A client's window of eight fits even
// when the kernel puts it together.
const (
	datagramLen  = 2048
	segmentedLen = 1<<16 + 320 // not all at the same place in the cache
	clientLen    = 8192
	clientBatch  = 8
)

// message is what recvmmsg and sendmmsg take.
type message struct {
	header unix.Msghdr
	len    uint32
}

// control is room for one control message with an int.
type control [24]byte

// raw is a socket of which the descriptor is at hand: syscall.RawConn in part.
type raw interface {
	Control(f func(fd uintptr)) error
	Read(f func(fd uintptr) bool) error
	Write(f func(fd uintptr) bool) error
}

// unpolled is a socket that the runtime's poller does not know: datagrams that
// arrive wake nobody. It never waits.
type unpolled int

// Control calls f.
func (u unpolled) Control(f func(fd uintptr)) error { f(uintptr(u)); return nil }

// Read calls f once.
func (u unpolled) Read(f func(fd uintptr) bool) error {
	if !f(uintptr(u)) {
		return errEmpty
	}
	return nil
}

// Write is as Read.
func (u unpolled) Write(f func(fd uintptr) bool) error { return u.Read(f) }

func listenUnpolled() (unpolled, string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, "", err
	}
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, socketBuffer); err != nil {
			return 0, "", err
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, "", err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, "", err
	}
	in4, _ := sa.(*unix.SockaddrInet4) // it is one: AF_INET
	return unpolled(fd), netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)).String(), nil
}

// messages is the batched and the segmented style over IPv4.
type messages struct {
	socket    raw
	connected bool
	segmented bool

	in         []message
	inVectors  []unix.Iovec
	inNames    []unix.RawSockaddrInet4
	inControl  []control
	received   []datagram
	out        []message
	outVectors []unix.Iovec
	outNames   []unix.RawSockaddrInet4
	outControl []control

	// The two calls, made once: a closure for each would be garbage. Each side
	// has its own results, since sender and receiver may be two goroutines.
	read, write         func(fd uintptr) bool
	readN, writeN       int
	readErr, writeErr   unix.Errno
	writeFrom, writeEnd int
}

func newMessages(socket raw, batch, length int, connected, segmented bool) (*messages, error) {
	m := &messages{
		socket: socket, connected: connected, segmented: segmented,
		in: make([]message, batch), inVectors: make([]unix.Iovec, batch),
		inNames: make([]unix.RawSockaddrInet4, batch), inControl: make([]control, batch),
		out: make([]message, batchLen), outVectors: make([]unix.Iovec, batchLen),
		outNames: make([]unix.RawSockaddrInet4, batchLen), outControl: make([]control, batchLen),
	}
	memory := make([]byte, batch*length)
	for i := range m.in {
		m.inVectors[i].Base = &memory[i*length]
		m.inVectors[i].SetLen(min(length, 1<<16-1))
		m.in[i].header.Iov, m.in[i].header.Iovlen = &m.inVectors[i], 1
	}
	for i := range m.out {
		m.out[i].header.Iov, m.out[i].header.Iovlen = &m.outVectors[i], 1
	}
	m.read = func(fd uintptr) bool {
		m.readN, m.readErr = call(unix.SYS_RECVMMSG, fd, m.in)
		return m.readErr != unix.EAGAIN
	}
	m.write = func(fd uintptr) bool {
		m.writeN, m.writeErr = call(unix.SYS_SENDMMSG, fd, m.out[m.writeFrom:m.writeEnd])
		return m.writeErr != unix.EAGAIN
	}
	if !segmented {
		return m, nil
	}
	var err error
	ask := func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) }
	if e := socket.Control(ask); e != nil {
		return nil, e
	}
	return m, err
}

func call(trap, fd uintptr, list []message) (int, unix.Errno) {
	for {
		n, _, errno := unix.Syscall6(trap, fd, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func (m *messages) receive() ([]datagram, error) {
	for i := range m.in {
		h := &m.in[i].header
		if !m.connected {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&m.inNames[i])), unix.SizeofSockaddrInet4
		}
		if m.segmented {
			h.Control = &m.inControl[i][0]
			h.SetControllen(len(m.inControl[i]))
		}
	}
	if err := m.socket.Read(m.read); err != nil {
		return nil, err
	}
	if m.readErr != 0 {
		return nil, m.readErr
	}
	m.received = m.received[:0]
	for i := range m.readN {
		m.split(i)
	}
	return m.received, nil
}

// split appends the datagrams of message i.
func (m *messages) split(i int) {
	b := unsafe.Slice(m.inVectors[i].Base, m.in[i].len)
	var addr netip.AddrPort
	if !m.connected {
		port := (*[2]byte)(unsafe.Pointer(&m.inNames[i].Port))
		addr = netip.AddrPortFrom(netip.AddrFrom4(m.inNames[i].Addr), binary.BigEndian.Uint16(port[:]))
	}
	size := len(b)
	if m.segmented && m.in[i].header.Controllen > unix.SizeofCmsghdr {
		size = int(binary.NativeEndian.Uint32(m.inControl[i][unix.SizeofCmsghdr:]))
	}
	for len(b) > size {
		m.received = append(m.received, datagram{b[:size:size], addr})
		b = b[size:]
	}
	m.received = append(m.received, datagram{b, addr})
}

func (m *messages) send(list []datagram) error {
	for len(list) > 0 {
		n := 0
		for ; n < len(m.out) && len(list) > 0; n++ {
			run := 1
			if m.segmented {
				run = together(list)
			}
			m.fill(n, list[:run])
			list = list[run:]
		}
		for m.writeFrom, m.writeEnd = 0, n; m.writeFrom < n; m.writeFrom += m.writeN {
			if err := m.socket.Write(m.write); err != nil {
				return err
			}
			if m.writeErr != 0 {
				return m.writeErr
			}
		}
	}
	return nil
}

// together is how many datagrams from the first on lie side by side in memory,
// have one length and go to one address.
func together(list []datagram) int {
	first, size, n := list[0], len(list[0].b), 1
	for ; n < min(len(list), 64) && (n+1)*size < 65000; n++ {
		next := list[n]
		if next.addr != first.addr || len(next.b) != size || place(next.b) != place(first.b)+uintptr(n*size) {
			break
		}
	}
	return n
}

// place is a slice's address, to be compared and never to be followed.
func place(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// fill makes message i of datagrams that lie side by side.
func (m *messages) fill(i int, list []datagram) {
	h, size := &m.out[i].header, len(list[0].b)
	m.outVectors[i].Base = &list[0].b[0]
	m.outVectors[i].SetLen(size * len(list))
	if !m.connected {
		name := &m.outNames[i]
		name.Family, name.Addr = unix.AF_INET, list[0].addr.Addr().As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], list[0].addr.Port())
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(name)), unix.SizeofSockaddrInet4
	}
	h.Control, h.Controllen = nil, 0
	if len(list) > 1 {
		c := &m.outControl[i]
		head := (*unix.Cmsghdr)(unsafe.Pointer(c))
		head.Level, head.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		head.SetLen(unix.CmsgLen(2))
		binary.NativeEndian.PutUint16(c[unix.SizeofCmsghdr:], uint16(size))
		h.Control = &c[0]
		h.SetControllen(unix.CmsgSpace(2))
	}
}

var _ raw = syscall.RawConn(nil)
