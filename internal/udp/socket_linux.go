package udp

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// native is a UDP socket that the Go runtime's poller does not know: a datagram
// that arrives wakes nobody who does not wait for it, so that a match which
// polls sleeps from tick to tick.
//
// Datagrams are received and sent many with one system call (recvmmsg,
// sendmmsg), and those of one player that follow each other as one (UDP_GRO,
// UDP_SEGMENT), where the kernel can.
type native struct {
	fd     int
	family int            // unix.AF_INET or AF_INET6
	local  netip.AddrPort // constant
	sleep  sleeper

	mu sync.Mutex // wake against close
	// +checklocks:mu
	closed bool

	shed shed

	in  inMessages  // owned by the shard's turn
	out outMessages // owned by the outbox
}

// Listen makes the first socket of an address. It shares the port with
// nobody, until Sibling lets it: a second server on the same port fails.
func Listen(address string) (Socket, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("transport: listen udp %s: %w", address, err)
	}
	s, err := openNative(addr.AddrPort(), false)
	if err != nil {
		return nil, fmt.Errorf("transport: listen udp %s: %w", address, err)
	}
	return s, nil
}

// Sibling makes another socket on the same port, between which the kernel
// shares out clients by address (SO_REUSEPORT).
func (s *native) Sibling() (Socket, error) {
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return nil, err
	}
	return openNative(s.local, true)
}

func openNative(addr netip.AddrPort, share bool) (*native, error) {
	s := &native{family: unix.AF_INET6, sleep: sleeper{notify: -1}}
	if addr.Addr().Unmap().Is4() {
		s.family = unix.AF_INET
	}
	var err error
	s.fd, err = unix.Socket(s.family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT && !addr.Addr().IsValid() { // a host without IPv6
		s.family = unix.AF_INET
		s.fd, err = unix.Socket(s.family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := s.bind(addr, share); err != nil {
		s.closeFiles()
		return nil, err
	}
	s.in.init()
	s.out.init()
	return s, nil
}

func (s *native) bind(addr netip.AddrPort, share bool) (err error) {
	if err = s.sleep.init(s.fd); err != nil {
		return err
	}
	if share {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	s.tune(addr)
	if err := unix.Bind(s.fd, s.sockaddr(addr)); err != nil {
		return err
	}
	bound, err := unix.Getsockname(s.fd)
	if err != nil {
		return err
	}
	s.local = boundTo(bound)
	return nil
}

// tune sets what makes the socket faster or safer, and tells how old its datagrams
// are; a kernel that refuses does without.
func (s *native) tune(addr netip.AddrPort) {
	if s.family == unix.AF_INET6 && (!addr.Addr().IsValid() || addr.Addr().IsUnspecified()) {
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	for _, o := range [][2]int{
		{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE}, {unix.SO_SNDBUF, unix.SO_SNDBUFFORCE},
	} {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o[1], kernelBuffer) != nil { // needs CAP_NET_ADMIN
			_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o[0], kernelBuffer)
		}
	}
	if !addr.Addr().IsValid() || addr.Addr().Unmap().IsUnspecified() {
		s.in.every = tellLocal(s.fd, s.family)
	}
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	s.in.gro = offload && unix.SetsockoptInt(s.fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	_, err := unix.GetsockoptInt(s.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	s.out.gso = offload && err == nil
	// An ICMP message by which a router asks for smaller datagrams is easily forged: IPv4
	// is sent without DF, and fragmented by us only where our own device asks for it.
	// Over IPv6 no router may ask for less than 1,280 bytes, which maxDatagram fits into.
	_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
}

func (s *native) sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if s.family == unix.AF_INET {
		sa := &unix.SockaddrInet4{Port: int(addr.Port())}
		if addr.Addr().IsValid() {
			sa.Addr = addr.Addr().Unmap().As4()
		}
		return sa
	}
	sa := &unix.SockaddrInet6{Port: int(addr.Port()), ZoneId: zoneID(addr.Addr())}
	if addr.Addr().IsValid() {
		sa.Addr = addr.Addr().As16()
	}
	return sa
}

func boundTo(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(withZone(netip.AddrFrom16(sa.Addr).Unmap(), sa.ZoneId), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func (s *native) LocalAddr() netip.AddrPort { return s.local }

func (s *native) Multihomed() bool { return s.in.every }

// Stats asks the kernel.
func (s *native) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var st Stats
	if s.closed {
		return st
	}
	info, ok := s.meminfo()
	if !ok {
		return st
	}
	if s.shed.level.Load() == 0 { // else Shed looks
		s.shed.account(info[drops])
	}
	st.Waiting, st.ReceiveBuffer, st.SendBuffer, st.Overflow = int(info[0]), int(info[1]), int(info[3]), s.shed.overflow
	return st
}

// drops is the place in SO_MEMINFO of how many messages the kernel has dropped.
const drops = 8

// meminfo asks the kernel for SO_MEMINFO; see SK_MEMINFO_ in linux/sock_diag.h. mu is held.
func (s *native) meminfo() (info [drops + 1]uint32, ok bool) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return info, errno == 0
}

func (s *native) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.closed = true
	return s.closeFiles()
}

func (s *native) closeFiles() error {
	s.sleep.close()
	return unix.Close(s.fd)
}
