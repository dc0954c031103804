package udp

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper is how a shard waits for its socket. There are two ways.
//
// Alone, it sleeps in ppoll: one system call. A goroutine in a system call keeps
// its processor until the runtime takes that away, which costs the other
// goroutines some tens of microseconds, and the runtime's monitor its sleep.
//
// While engines negotiate it parks instead, as in any Read: the runtime's poller
// watches an epoll instance that watches the socket. That takes three system
// calls, leaves the processor to the engines at once, and they wake it without
// any.
type sleeper struct {
	socket int
	notify int // eventfd that ends a sleep in ppoll

	state atomic.Uint32 // how somebody sleeps, or is about to
	woken atomic.Bool   // wake has been called since

	// Made by the shard's loop before it parks for the first time, constant
	// afterwards.
	epoll *os.File
	raw   syscall.RawConn
	look  func(uintptr) bool // s.ready

	// Owned by the shard's loop.
	armed   bool // in this park
	pending bool // its event, or that of a park before, has not been taken
}

// What a sleeper does.
const (
	awake uint32 = iota
	polling
	parked
)

func (s *sleeper) init(socket int) (err error) {
	s.socket = socket
	s.notify, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	return err
}

// Wait implements Socket.
func (s *native) Wait(timeout time.Duration, share bool) {
	p := &s.sleep
	defer p.state.Store(awake)
	if share && p.open() {
		p.park(timeout)
	} else {
		p.poll(timeout)
	}
}

// poll sleeps in ppoll. Where the system refuses that, as a container may, it sleeps FailurePause: the
// next look at the socket says whether anything has come.
func (s *sleeper) poll(timeout time.Duration) {
	s.state.Store(polling)
	if s.woken.Swap(false) {
		return
	}
	fds := [2]unix.PollFd{{Fd: int32(s.socket), Events: unix.POLLIN}, {Fd: int32(s.notify), Events: unix.POLLIN}}
	ts := unix.NsecToTimespec(int64(timeout))
	n, err := unix.Ppoll(fds[:], &ts, nil)
	switch {
	case err != nil && err != unix.EINTR:
		time.Sleep(min(timeout, FailurePause))
	case err == nil && n > 0 && fds[1].Revents != 0:
		var count [8]byte
		_, _ = unix.Read(s.notify, count[:])
		s.woken.Store(false)
	}
}

// park sleeps in the runtime's poller. A deadline in the past wakes it: one that
// comes before ours is seen by woken, one that comes after by Read.
func (s *sleeper) park(timeout time.Duration) {
	s.state.Store(parked)
	s.armed = false
	_ = s.epoll.SetReadDeadline(time.Now().Add(timeout))
	if !s.woken.Swap(false) {
		_ = s.raw.Read(s.look)
		s.woken.Store(false)
	}
}

// open makes the epoll instance, if there is none; false if there can be none.
func (s *sleeper) open() bool {
	if s.epoll != nil {
		return true
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, s.socket, &unix.EpollEvent{Events: unix.EPOLLONESHOT})
	if err == nil {
		err = unix.SetNonblock(fd, true) // else the runtime would not take it for one to poll
	}
	if err != nil {
		_ = unix.Close(fd)
		return false
	}
	s.epoll = os.NewFile(uintptr(fd), "epoll")
	s.look = s.ready
	s.raw, err = s.epoll.SyscallConn()
	return err == nil
}

// ready is called before the goroutine parks, and when it runs again. Arming the
// socket for one event comes after the runtime has begun to listen for it, and
// keeps datagrams that come later from waking anybody. Of a readable socket whose
// last event nobody has taken, the kernel tells no second time: a park that
// was ended by Wake or by its timeout leaves that to the next one.
func (s *sleeper) ready(epoll uintptr) bool {
	var events [1]unix.EpollEvent
	if !s.armed {
		if s.pending {
			_, _ = unix.EpollWait(int(epoll), events[:], 0) // arming finds it again
		}
		s.armed, s.pending = true, true
		e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT}
		return unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, s.socket, &e) != nil
	}
	n, _ := unix.EpollWait(int(epoll), events[:], 0)
	s.pending = n != 1
	return n != 0
}

// Wake implements Socket. It costs a system call only when somebody sleeps in one.
func (s *native) Wake() {
	s.sleep.woken.Store(true)
	state := s.sleep.state.Load()
	if state == awake {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case state == parked:
		_ = s.sleep.epoll.SetReadDeadline(time.Unix(1, 0))
	default:
		one := binary.NativeEndian.AppendUint64(nil, 1)
		_, _ = unix.Write(s.sleep.notify, one)
	}
}

func (s *sleeper) close() {
	if s.epoll != nil {
		_ = s.epoll.Close()
	}
	if s.notify >= 0 {
		_ = unix.Close(s.notify)
	}
}
