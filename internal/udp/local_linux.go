package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"unique"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/addrtable"
)

// The kernel tells the address of ours to which a datagram has come, and is told the one
// to send from, in a control message (ip(7), ipv6(7)). A socket of both families has it
// in IPv6 form for both.
//
//	IP_PKTINFO      interface 4, local address 4, destination in the header 4
//	IPV6_PKTINFO    address 16, interface 4
const (
	pktinfo4Len = 12
	pktinfo6Len = 20

	// sourceLen is room in bytes for either, and for the length of segments behind it.
	sourceLen = 40 + 24
)

// tellLocal has the kernel tell the local address of each datagram. It reports whether
// the kernel will.
func tellLocal(fd, family int) bool {
	if family == unix.AF_INET {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1) == nil
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1) == nil
}

// parseLocal reads the local address from control messages, as parseControl does the rest:
// a socket that has but one address is spared it.
func parseLocal(b []byte) (l addrtable.Local, ok bool) {
	for len(b) > 0 {
		var level, typ uint32
		var data []byte
		level, typ, data, b = nextControl(b)
		switch {
		case level == unix.IPPROTO_IP && typ == unix.IP_PKTINFO && len(data) >= pktinfo4Len:
			return readPktinfo4(data), true
		case level == unix.IPPROTO_IPV6 && typ == unix.IPV6_PKTINFO && len(data) >= pktinfo6Len:
			return readPktinfo6(data), true
		}
	}
	return l, false
}

// readPktinfo4 reads the data of IP_PKTINFO.
func readPktinfo4(b []byte) (l addrtable.Local) {
	l.IP = [16]byte{10: 0xff, 11: 0xff}
	copy(l.IP[12:], b[4:8])
	l.Interface = linkOf(l.IP, binary.NativeEndian.Uint32(b))
	return l
}

// readPktinfo6 reads the data of IPV6_PKTINFO.
func readPktinfo6(b []byte) (l addrtable.Local) {
	l.IP = [16]byte(b)
	l.Interface = linkOf(l.IP, binary.NativeEndian.Uint32(b[16:]))
	return l
}

// linkOf is the interface, if it belongs to the address: the same link-local address may
// be on several. For any other address the routes decide.
func linkOf(ip [16]byte, link uint32) uint32 {
	if netip.AddrFrom16(ip).Unmap().IsLinkLocalUnicast() {
		return link
	}
	return 0
}

// putSource writes the control message that has a datagram leave from l, for a socket of
// the family, and returns its length.
func putSource(b []byte, family int, l *addrtable.Local) int {
	if family == unix.AF_INET {
		data := putCmsg(b, unix.IPPROTO_IP, unix.IP_PKTINFO, pktinfo4Len)
		binary.NativeEndian.PutUint32(data, l.Interface)
		copy(data[4:8], l.IP[12:])
		clear(data[8:12])
		return unix.CmsgSpace(pktinfo4Len)
	}
	data := putCmsg(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, pktinfo6Len)
	copy(data, l.IP[:])
	binary.NativeEndian.PutUint32(data[16:], l.Interface)
	return unix.CmsgSpace(pktinfo6Len)
}

// putSegment writes the control message that has a payload sent in segments of a size,
// and returns its length.
func putSegment(b []byte, size int) int {
	binary.NativeEndian.PutUint16(putCmsg(b, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2), uint16(size))
	return unix.CmsgSpace(2)
}

// putCmsg writes the header of a control message, and returns the place of its data.
func putCmsg(b []byte, level, typ uint32, length int) []byte {
	if wordLen == 4 {
		binary.NativeEndian.PutUint32(b, uint32(unix.CmsgLen(length)))
	} else {
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(length)))
	}
	binary.NativeEndian.PutUint32(b[wordLen:], level)
	binary.NativeEndian.PutUint32(b[wordLen+4:], typ)
	return b[unix.CmsgLen(0):unix.CmsgLen(length)]
}

// locals remembers local addresses that have been seen lately, so that none of a
// datagram's has to be looked up. It belongs to the socket's reader.
type locals [16]struct {
	local  addrtable.Local
	handle localHandle
}

// find is the local address that control messages tell, zero if none does.
func (c *locals) find(b []byte) (h localHandle) {
	l, ok := parseLocal(b)
	if !ok {
		return h
	}
	e := &c[l.IP[15]%uint8(len(c))]
	if e.local != l {
		e.local, e.handle = l, unique.Make(l)
	}
	return e.handle
}

// udpFlows is a socket of package net's that listens on all addresses.
type udpFlows struct {
	*net.UDPConn
	family  int
	control [controlLen]byte // the reader's
	locals  locals           // the reader's
}

// flowsOf returns conn as a flowConn, nil if it needs not be one, or cannot.
func flowsOf(conn net.PacketConn) flowConn {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return nil
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return nil
	}
	f, told := &udpFlows{UDPConn: udp}, false
	err = raw.Control(func(fd uintptr) {
		if f.family, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil {
			told = tellLocal(int(fd), f.family)
		}
	})
	if err != nil || !told {
		return nil
	}
	return f
}

// readFlow implements flowConn. One goroutine calls it.
func (f *udpFlows) readFlow(b []byte) (int, Flow, error) {
	n, told, _, from, err := f.ReadMsgUDPAddrPort(b, f.control[:])
	to := Flow{AddrPort: Unmap(from)}
	to.Local = f.locals.find(f.control[:told])
	return n, to, err
}

// writeFlow implements flowConn.
func (f *udpFlows) writeFlow(b []byte, to Flow) error {
	var control [sourceLen]byte
	n := 0
	if to.Local != (localHandle{}) {
		l := to.Local.Value()
		n = putSource(control[:], f.family, &l)
	}
	_, _, err := f.WriteMsgUDPAddrPort(b, control[:n], to.AddrPort)
	return err
}
