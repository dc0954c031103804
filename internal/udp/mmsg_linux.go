package udp

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is what recvmmsg and sendmmsg take; x/sys has the system calls'
// numbers, but not this.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// address is a sockaddr_in or sockaddr_in6 as the kernel reads and writes it.
type address [unix.SizeofSockaddrInet6]byte

// get reads an address. The port is big-endian, the family in the host's order.
func (a *address) get() netip.AddrPort {
	port := binary.BigEndian.Uint16(a[2:])
	if binary.NativeEndian.Uint16(a[:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), port)
	}
	ip := netip.AddrFrom16([16]byte(a[8:24])).Unmap()
	return netip.AddrPortFrom(withZone(ip, binary.NativeEndian.Uint32(a[24:])), port)
}

// put writes an address for a socket of the family, and returns its length. An IPv6 address stays
// one where the socket is of IPv4: the kernel refuses to send there, so the datagram is lost.
func (a *address) put(family int, addr netip.AddrPort) uint32 {
	ip := addr.Addr().Unmap()
	binary.BigEndian.PutUint16(a[2:], addr.Port())
	if family == unix.AF_INET && ip.Is4() {
		binary.NativeEndian.PutUint16(a[:], unix.AF_INET)
		four := ip.As4()
		copy(a[4:8], four[:])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(a[:], unix.AF_INET6)
	sixteen := ip.As16()
	copy(a[8:24], sixteen[:])
	binary.NativeEndian.PutUint32(a[24:], zoneID(ip))
	return unix.SizeofSockaddrInet6
}

// withZone names the interface of a link-local address.
func withZone(ip netip.Addr, id uint32) netip.Addr {
	if id == 0 || !ip.Is6() {
		return ip
	}
	return ip.WithZone(strconv.FormatUint(uint64(id), 10))
}

// mayWait is for tests whose process answers its own system calls: they wait for another goroutine then.
// Otherwise those that receive and send never wait, and the runtime is not told of them. Told of one
// that takes longer than 20 µs, as a full batch does, it would give the processor to another thread,
// and the shard would have to get one back, for milliseconds where all are busy.
var mayWait bool

// mmsg calls recvmmsg or sendmmsg once, without waiting, and returns how many
// messages it was good for.
func mmsg(trap uintptr, fd int, messages []mmsghdr) (int, unix.Errno) {
	for {
		var n uintptr
		var errno unix.Errno
		if mayWait {
			n, _, errno = unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		} else {
			n, _, errno = unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		}
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}
