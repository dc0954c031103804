package transport

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// groLen is the most that the kernel puts together into one message.
	groLen = 65535

	// groStride keeps messages' beginnings apart in the processor's cache, where
	// equal distances of 64 KiB would all fall on the same lines.
	groStride = groLen + 1 + 320

	// controlLen is room for one control message with an int in it.
	controlLen = 24
)

// inMessages is what recvmmsg fills. Memory that no datagram has touched costs
// address space only.
type inMessages struct {
	gro     bool
	headers [batchLen]mmsghdr
	vectors [batchLen]unix.Iovec
	names   [batchLen]address
	control [batchLen][controlLen]byte
	memory  []byte
	packets []packet
}

func (m *inMessages) init() {
	length := groStride
	if !m.gro {
		length = bufferLen
	}
	m.memory = make([]byte, batchLen*length)
	for i := range m.headers {
		m.vectors[i].Base = &m.memory[i*length]
		m.vectors[i].SetLen(min(length, groLen))
		h := &m.headers[i].hdr
		h.Iov, h.Iovlen = &m.vectors[i], 1
		h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
	}
	m.packets = make([]packet, 0, batchLen)
}

// receive takes what the kernel has. A message that holds several datagrams of
// one player becomes several packets.
func (s *native) receive() []packet {
	m := &s.in
	for i := range m.headers {
		h := &m.headers[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		if m.gro {
			h.Control = &m.control[i][0]
			h.SetControllen(controlLen)
		}
	}
	m.packets = m.packets[:0]
	n, _ := mmsg(unix.SYS_RECVMMSG, s.fd, m.headers[:])
	for i := range n {
		m.split(i)
	}
	return m.packets
}

// split appends message i's datagrams.
func (m *inMessages) split(i int) {
	b := unsafe.Slice(m.vectors[i].Base, m.headers[i].len)
	addr, size := m.names[i].get(), m.segment(i)
	for size > 0 && len(b) > size {
		m.packets = append(m.packets, packet{addr, b[:size:size]})
		b = b[size:]
	}
	m.packets = append(m.packets, packet{addr, b})
}

// segment is the length of message i's datagrams but the last, 0 if it is one.
func (m *inMessages) segment(i int) int {
	h := &m.headers[i].hdr
	if !m.gro || h.Controllen < unix.SizeofCmsghdr+4 {
		return 0
	}
	c := m.control[i][:]
	level := binary.NativeEndian.Uint32(c[unix.SizeofCmsghdr-8:])
	typ := binary.NativeEndian.Uint32(c[unix.SizeofCmsghdr-4:])
	if level != unix.IPPROTO_UDP || typ != unix.UDP_GRO {
		return 0
	}
	return int(binary.NativeEndian.Uint32(c[unix.SizeofCmsghdr:]))
}
