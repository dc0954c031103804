package udp

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxSegments is the most datagrams that the kernel takes as one message.
	maxSegments = 64

	// sendWait is how long a full send buffer may hold up a flush; what does not
	// fit then is lost.
	sendWait = 2 * time.Millisecond
)

// outMessages is what sendmmsg sends.
type outMessages struct {
	gso     bool
	full    bool // a wait for room was in vain, and nothing has been taken since
	headers [BatchLen]mmsghdr
	vectors [BatchLen]unix.Iovec
	names   [BatchLen]address
	control [BatchLen][sourceLen]byte
}

func (m *outMessages) init() {
	for i := range m.headers {
		h := &m.headers[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
	}
}

// Send sends packets, at most BatchLen at a time. One that the network refuses
// is lost.
func (s *native) Send(packets []Packet) {
	for len(packets) > 0 {
		n := min(len(packets), BatchLen)
		s.sendBatch(packets[:n])
		packets = packets[n:]
	}
}

func (s *native) sendBatch(packets []Packet) {
	count := s.out.fill(s.family, packets)
	for sent := 0; sent < count; {
		n, errno := mmsg(unix.SYS_SENDMMSG, s.fd, s.out.headers[sent:count])
		sent += n
		switch {
		case n > 0:
			s.out.full = false
		case errno == unix.EAGAIN && s.drain():
		default: // the next message is not to blame
			s.refused(packets, sent, errno)
			sent++
		}
	}
}

// refused is called for a message that the kernel has not taken. Several datagrams that
// it has not taken as one are sent one by one, when it may be the segmentation that it
// refuses: EMSGSIZE, before Linux 6.14 EINVAL, where the way takes a datagram only in
// fragments, which says nothing about other players; and EIO from a device that cannot
// segment for anybody. Anything else is lost.
func (s *native) refused(packets []Packet, message int, errno unix.Errno) {
	switch errno {
	case unix.EIO:
		s.out.gso = false
	case unix.EMSGSIZE, unix.EINVAL:
	default:
		return
	}
	first, n := 0, int(s.out.headers[message].hdr.Iovlen)
	for i := range message {
		first += int(s.out.headers[i].hdr.Iovlen)
	}
	if n == 1 {
		return
	}
	for _, p := range packets[first : first+n] {
		if s.write(p) == unix.EAGAIN && s.drain() {
			s.write(p)
		}
	}
}

// Segments reports whether several datagrams go as one. Owner: the outbox.
func (s *native) Segments() bool { return s.out.gso }

// drain waits for room in the send buffer, unless it has just been waited for in vain: a line that
// takes nothing must not hold up a match for each datagram.
func (s *native) drain() bool {
	if s.out.full {
		return false
	}
	fds := [1]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
	ts := unix.NsecToTimespec(int64(sendWait))
	n, err := unix.Ppoll(fds[:], &ts, nil)
	for err == unix.EINTR { // the kernel has written what is left of the time
		n, err = unix.Ppoll(fds[:], &ts, nil)
	}
	s.out.full = err != nil || n == 0
	return !s.out.full
}

// fill makes messages of packets: those that follow each other to one address,
// all of one length but for a shorter last one, become one message.
func (m *outMessages) fill(family int, packets []Packet) (messages int) {
	for i := 0; i < len(packets); messages++ {
		n := 1
		if m.gso {
			n = run(packets[i:])
		}
		for j := i; j < i+n; j++ {
			m.vectors[j].Base = &packets[j].Buf[0]
			m.vectors[j].SetLen(len(packets[j].Buf))
		}
		h := &m.headers[messages].hdr
		h.Iov = &m.vectors[i]
		h.SetIovlen(n)
		h.Namelen = m.names[messages].put(family, packets[i].Addr.AddrPort)
		c, told := m.control[messages][:], 0
		if from := packets[i].Addr.Local; from != (localHandle{}) {
			l := from.Value()
			told = putSource(c, family, &l)
		}
		if n > 1 {
			told += putSegment(c[told:], len(packets[i].Buf))
		}
		h.Control = nil
		if told > 0 {
			h.Control = &c[0]
		}
		h.SetControllen(told)
		i += n
	}
	return messages
}

// run is how many packets from the first on can go as one message.
func run(packets []Packet) int {
	size, total := len(packets[0].Buf), len(packets[0].Buf)
	for n := 1; n < min(len(packets), maxSegments); n++ {
		p := &packets[n]
		total += len(p.Buf)
		if p.Addr != packets[0].Addr || len(p.Buf) > size || total > groLen-64 {
			return n
		}
		if len(p.Buf) < size {
			return n + 1
		}
	}
	return min(len(packets), maxSegments)
}

// SendOne uses nothing that belongs to the outbox.
func (s *native) SendOne(p Packet) { s.write(p) }

func (s *native) write(p Packet) unix.Errno {
	var name address
	var control [sourceLen]byte
	vector := unix.Iovec{Base: &p.Buf[0]}
	vector.SetLen(len(p.Buf))
	h := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&name)), Namelen: name.put(s.family, p.Addr.AddrPort), Iov: &vector, Iovlen: 1}
	if p.Addr.Local != (localHandle{}) {
		l := p.Addr.Local.Value()
		h.Control = &control[0]
		h.SetControllen(putSource(control[:], s.family, &l))
	}
	for {
		var errno unix.Errno
		if mayWait {
			_, _, errno = unix.Syscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT)
		} else {
			_, _, errno = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT)
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}
