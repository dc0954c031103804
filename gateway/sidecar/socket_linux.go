package sidecar

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is what recvmmsg and sendmmsg take; x/sys has the system calls' numbers, but not this.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// socket moves datagrams in batches. One goroutine at a time receives, and one sends.
type socket struct {
	conn net.Conn
	raw  syscall.RawConn

	in     [batch]mmsghdr
	inVec  [batch]unix.Iovec
	memory []byte
	got    int
	inErr  unix.Errno
	read   func(fd uintptr) bool
	views  [batch][]byte

	out    [batch]mmsghdr
	outVec [batch]unix.Iovec
	from   int
	to     int
	sent   int
	outErr unix.Errno
	block  bool
	write  func(fd uintptr) bool
}

// stride is how far the beginnings of two buffers are apart: not a power of two, so that they do not
// share lines of a cache.
const stride = 1<<16 + 320

func newSocket(conn net.Conn) (*socket, error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("sidecar: the socket has no descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, raw: raw, memory: make([]byte, batch*stride)}
	for i := range s.in {
		s.inVec[i].Base = &s.memory[i*stride]
		s.inVec[i].SetLen(1 << 16)
		s.in[i].hdr.Iov = &s.inVec[i]
		s.in[i].hdr.SetIovlen(1)
		s.out[i].hdr.Iov = &s.outVec[i]
		s.out[i].hdr.SetIovlen(1)
	}
	s.read = func(fd uintptr) bool {
		s.got, s.inErr = mmsg(unix.SYS_RECVMMSG, fd, s.in[:])
		return s.inErr != unix.EAGAIN
	}
	s.write = func(fd uintptr) bool {
		s.sent, s.outErr = mmsg(unix.SYS_SENDMMSG, fd, s.out[s.from:s.to])
		return s.outErr != unix.EAGAIN || !s.block
	}
	return s, nil
}

// receive waits for datagrams. They are borrowed until the next call. The error is that of a closed
// socket; what the game's absence does to a socket is none.
func (s *socket) receive() ([][]byte, error) {
	for {
		if err := s.raw.Read(s.read); err != nil {
			return nil, err
		}
		if s.inErr != 0 { // the game does not listen
			continue
		}
		for i := range s.got {
			s.views[i] = s.memory[i*stride : i*stride+int(s.in[i].len)]
		}
		return s.views[:s.got], nil
	}
}

// send sends datagrams, b cut at ends, and returns how many could not be sent. It waits for room in the
// socket, sendWait at most.
func (s *socket) send(b []byte, ends []int) (lost int) {
	at, waited := 0, false
	for len(ends) > 0 {
		n := min(len(ends), batch)
		for i := range n {
			s.outVec[i].Base = unsafe.SliceData(b[at:ends[i]])
			s.outVec[i].SetLen(ends[i] - at)
			at = ends[i]
		}
		for s.from, s.to = 0, n; s.from < n; {
			s.block = false
			err := s.raw.Write(s.write)
			if err == nil && s.outErr == unix.EAGAIN && !waited {
				waited, s.block = true, true
				s.conn.SetWriteDeadline(time.Now().Add(sendWait)) //nolint:errcheck // of a closed socket
				err = s.raw.Write(s.write)
				s.conn.SetWriteDeadline(time.Time{}) //nolint:errcheck // likewise
			}
			switch {
			case err == nil && s.outErr == 0:
				s.from += s.sent
			case errors.Is(err, os.ErrDeadlineExceeded) || err == nil && s.outErr == unix.EAGAIN:
				lost += n - s.from // no room
				s.from = n
			case err != nil:
				return lost + len(ends) - s.from // closed
			default: // nobody listens, or this one is too long
				lost++
				s.from++
			}
		}
		ends = ends[n:]
	}
	return lost
}

// connect gives a Unix socket its peer, anew where the game has made another socket of the same name.
func (s *socket) connect(path string) error {
	var err error
	control := s.raw.Control(func(fd uintptr) { err = unix.Connect(int(fd), &unix.SockaddrUnix{Name: path}) })
	return errors.Join(control, err)
}

func (s *socket) close() error { return s.conn.Close() }

// mmsg calls recvmmsg or sendmmsg once, without waiting, and returns how many messages it was good for.
func mmsg(trap, fd uintptr, messages []mmsghdr) (int, unix.Errno) {
	for {
		n, _, errno := unix.Syscall6(trap, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}
