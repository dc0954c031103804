package flood

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// spray sends first ClientHellos until ctx is done, and returns how many it has sent. It keeps the
// calling goroutine's thread busy for as long as it takes.
func spray(ctx context.Context, to netip.AddrPort, hello []byte, rate int, from func(*rand.Rand) [4]byte) (sent int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := newSprayer(to, hello)
	if err != nil {
		return 0, err
	}
	defer s.close()
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	began := time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return sent, nil
		case <-ticker.C:
		}
		due := int(time.Since(began).Seconds() * float64(rate))
		if due-sent > rate/10 { // what was not sent in time is not made up for
			began = began.Add(time.Duration(due-sent-rate/10) * time.Second / time.Duration(rate))
			due = sent + rate/10
		}
		due = min(due, sent+int(2*float64(rate)*every.Seconds())) // nor all at once
		for sent < due {
			n, err := s.send(min(clump, due-sent), rng, from)
			if err != nil {
				return sent, err
			}
			sent += n
		}
	}
}

// sprayer has sockets, and one batch of messages that is sent again and again with other addresses
// and other randoms.
type sprayer struct {
	sockets []int
	next    int // socket
	batch   [clump]message
	headers [clump]header
	to      unix.RawSockaddrInet4
}

// message is what a datagram consists of.
type message struct {
	bytes   []byte
	vector  unix.Iovec
	control [unix.SizeofCmsghdr + unix.SizeofInet4Pktinfo + 4]byte // CMSG_SPACE
}

// header is the system's struct mmsghdr.
type header struct {
	unix.Msghdr
	sent uint32
	_    uint32
}

// randomAt is where a first ClientHello has its random, after the headers of record and message and
// the version, and randomLen its length in bytes.
const randomAt, randomLen = 13 + 12 + 2, 32

var errHello = errors.New("flood: the ClientHello is too short")

func newSprayer(to netip.AddrPort, hello []byte) (*sprayer, error) {
	if len(hello) < randomAt+randomLen {
		return nil, errHello
	}
	s := &sprayer{to: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.Addr().As4()}}
	port := (*[2]byte)(unsafe.Pointer(&s.to.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	for range ports {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			s.sockets = append(s.sockets, fd)
			err = unix.Bind(fd, &unix.SockaddrInet4{})
		}
		if err != nil {
			s.close()
			return nil, fmt.Errorf("flood: cannot open a socket: %w", err)
		}
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) // answers are for nobody: the least there is
	}
	for i := range s.batch {
		m, h := &s.batch[i], &s.headers[i]
		m.bytes = append([]byte(nil), hello...)
		m.vector.Base = &m.bytes[0]
		m.vector.SetLen(len(m.bytes))
		c := (*unix.Cmsghdr)(unsafe.Pointer(&m.control[0]))
		c.Level, c.Type = unix.SOL_IP, unix.IP_PKTINFO
		c.SetLen(unix.SizeofCmsghdr + unix.SizeofInet4Pktinfo)
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.to)), unix.SizeofSockaddrInet4
		h.Iov = &m.vector
		h.SetIovlen(1)
		h.Control = &m.control[0]
		h.SetControllen(len(m.control))
	}
	return s, nil
}

// send sends n datagrams at most, each with another random and from another address.
func (s *sprayer) send(n int, rng *rand.Rand, from func(*rand.Rand) [4]byte) (int, error) {
	for i := range n {
		m := &s.batch[i]
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&m.control[unix.SizeofCmsghdr]))
		info.Spec_dst = from(rng)
		for at := randomAt; at < randomAt+randomLen; at += 8 {
			*(*uint64)(unsafe.Pointer(&m.bytes[at])) = rng.Uint64()
		}
	}
	fd := s.sockets[s.next%len(s.sockets)]
	s.next++
	for {
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.headers[0])), uintptr(n), 0, 0, 0)
		switch errno {
		case 0:
			return int(sent), nil
		case unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.ECONNREFUSED:
		default:
			return 0, fmt.Errorf("flood: sendmmsg: %w", errno)
		}
	}
}

func (s *sprayer) close() {
	for _, fd := range s.sockets {
		_ = unix.Close(fd) // nothing is lost with it
	}
}
