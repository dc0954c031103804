package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// groLen is the most that the kernel puts together into one message.
	groLen = 65535

	// receiveTries is how often Receive asks when it gets an error in place of datagrams.
	receiveTries = 4

	// groStride keeps messages' beginnings apart in the processor's cache, where
	// equal distances of 64 KiB would all fall on the same lines.
	groStride = groLen + 1 + 320
)

// inMessages is what recvmmsg fills. Memory that no datagram has touched costs
// address space only.
type inMessages struct {
	gro     bool // several datagrams may come as one
	every   bool // the kernel tells to which address of ours they have come
	headers [BatchLen]mmsghdr
	vectors [BatchLen]unix.Iovec
	names   [BatchLen]address
	control [BatchLen][controlLen]byte
	memory  []byte
	packets []Packet
	locals  locals
}

func (m *inMessages) init() {
	length := groStride
	if !m.gro {
		length = BufferLen
	}
	m.memory = make([]byte, BatchLen*length)
	for i := range m.headers {
		m.vectors[i].Base = &m.memory[i*length]
		m.vectors[i].SetLen(min(length, groLen))
		h := &m.headers[i].hdr
		h.Iov, h.Iovlen = &m.vectors[i], 1
		h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
		h.Control = &m.control[i][0]
	}
	m.packets = make([]Packet, 0, BatchLen)
}

// Receive takes what the kernel has. A message that holds several datagrams of
// one player becomes several packets. An error says nothing about what waits behind it.
func (s *native) Receive() []Packet {
	m := &s.in
	for i := range m.headers {
		h := &m.headers[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlLen)
	}
	m.packets = m.packets[:0]
	n, errno := mmsg(unix.SYS_RECVMMSG, s.fd, m.headers[:])
	for tries := 1; errno != 0 && errno != unix.EAGAIN && tries < receiveTries; tries++ {
		n, errno = mmsg(unix.SYS_RECVMMSG, s.fd, m.headers[:])
	}
	if s.shed.level.Load() > 0 {
		for i := range n {
			s.shed.draws(unsafe.Slice(m.vectors[i].Base, m.headers[i].len))
		}
	}
	for i := range n {
		m.split(i)
	}
	return m.packets
}

// split appends message i's datagrams, of which all but the last have the same
// length.
func (m *inMessages) split(i int) {
	h := &m.headers[i]
	b := unsafe.Slice(m.vectors[i].Base, h.len)
	told := m.control[i][:min(int(h.hdr.Controllen), controlLen)]
	c := parseControl(told)
	addr := m.names[i].get()
	var local localHandle
	if m.every {
		local = m.locals.find(told)
	}
	for c.segment > 0 && len(b) > c.segment {
		m.packets = append(m.packets, Packet{Flow{AddrPort: addr, Local: local}, b[:c.segment:c.segment], c.stamp})
		b = b[c.segment:]
	}
	m.packets = append(m.packets, Packet{Flow{AddrPort: addr, Local: local}, b, c.stamp})
}
