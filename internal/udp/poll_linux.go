package udp

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller asks the kernel for a datagram without waiting and without allocating.
type poller struct {
	raw syscall.RawConn
	ask func(fd uintptr) // receive, made once

	// Of one call.
	buf   []byte
	from  address
	n     int
	errno unix.Errno
}

// newPoller returns nil where the kernel cannot be asked: conn is no *net.UDPConn.
func newPoller(conn net.PacketConn) *poller {
	socket, ok := conn.(*net.UDPConn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	p := &poller{raw: raw}
	p.ask = p.receive
	return p
}

// read returns os.ErrDeadlineExceeded when there is no datagram.
func (p *poller) read(b []byte) (int, netip.AddrPort, error) {
	p.buf = b
	err := p.raw.Control(p.ask)
	p.buf = nil
	switch {
	case err != nil:
		return 0, netip.AddrPort{}, err
	case p.errno == unix.EAGAIN:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case p.errno != 0:
		return 0, netip.AddrPort{}, os.NewSyscallError("recvfrom", p.errno)
	}
	return p.n, p.from.get(), nil
}

func (p *poller) receive(fd uintptr) {
	for {
		length := uint32(len(p.from))
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p.buf[0])), uintptr(len(p.buf)), unix.MSG_DONTWAIT,
			uintptr(unsafe.Pointer(&p.from)), uintptr(unsafe.Pointer(&length)))
		if errno != unix.EINTR {
			p.n, p.errno = int(n), errno
			break
		}
	}
	runtime.KeepAlive(p)
}
