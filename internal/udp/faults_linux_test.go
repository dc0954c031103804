package udp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the kernel may answer at each seam of this package, and what becomes of it. Errors are answered
// in place of the kernel by withAnswers; where a network or a device can be had that answers so, tests of
// package transport have it: TestSmallPath, TestNoNetwork, TestPlayersWithoutRoute.
//
//	seam                  answer                      what happens                             test
//	sendmmsg, one of it   EINTR, EAGAIN and room      nothing is lost                          TestSendFaults
//	                      EIO, EINVAL, EMSGSIZE       several as one go one by one             TestSendFaults
//	                      any other                   this one is lost, and no other           TestSendFaults
//	                      fewer than asked            the rest is sent                         TestSendFaults
//	sendmmsg, always      EAGAIN                      one wait a Send, whatever is in it       TestFullForGood
//	                      EIO                         never several as one again               TestNoSegmentation
//	                      any, 0                      Send ends, and works again afterwards    TestSendFailsForGood
//	sendmsg (SendOne)     EINTR                       sent                                     TestSendOneFaults
//	recvmmsg              any but EAGAIN, once        what waits is read all the same          TestReceiveFaults
//	                      fewer than there are, 0     the rest comes with the next             TestReceiveFaults
//	                      any, always                 Receive ends                             TestReceiveFaults
//	recvfrom (TryRead)    EINTR                       read                                     TestTryReadFaults
//	                      EAGAIN                      os.ErrDeadlineExceeded                   TestTryReadFaults
//	                      any other                   that error                               TestTryReadFaults
//	ppoll (Wait)          EINTR, any other            returns, and does not spin               TestWaitFaults
//	ppoll (full buffer)   EINTR                       the wait goes on                         TestSendFaults
//	control messages      cut off, unknown, malformed not read                                 TestParseControl

// refusals are what a send or a read may fail with besides EAGAIN and EINTR.
var refusals = [...]unix.Errno{
	unix.ENOBUFS, unix.ENOMEM, unix.ECONNREFUSED, unix.EMSGSIZE, unix.EPERM, unix.EACCES, unix.ENETUNREACH, unix.EHOSTUNREACH,
	unix.ENETDOWN, unix.EIO, unix.EINVAL, unix.EOPNOTSUPP, unix.ENODEV, unix.ENONET,
}

// segmentation reports whether an error may be about several datagrams as one.
func segmentation(errno unix.Errno) bool {
	return errno == unix.EIO || errno == unix.EINVAL || errno == unix.EMSGSIZE
}

// script answers the calls on one socket. A test sets it, and reads the counts when withAnswers is over.
type script struct {
	fd    int
	reply func(s *script, c call) answer
	count map[int]int // of calls, by number
}

func newScript(s *native, reply func(*script, call) answer) *script {
	return &script{fd: s.fd, reply: reply, count: map[int]int{}}
}

func (s *script) answer(c call) answer {
	if c.number != unix.SYS_PPOLL && int(c.args[0]) != s.fd {
		return answer{}
	}
	s.count[c.number]++
	return s.reply(s, c)
}

// listen opens a socket that may segment, or not.
func listen(t *testing.T, segments bool) *native {
	t.Helper()
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	n := s.(*native)
	if segments && !n.out.gso {
		t.Skip("this kernel has no UDP_SEGMENT")
	}
	n.out.gso = segments
	return n
}

// peers are players on sockets of their own.
type peers []*net.UDPConn

func newPeers(t *testing.T, n int) (ps peers) {
	t.Helper()
	for range n {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		ps = append(ps, conn)
	}
	return ps
}

// packets makes a batch, of which each letter goes to the peer of that letter: 'a' to the first.
func (ps peers) packets(to string) (list []Packet) {
	for i, letter := range to {
		list = append(list, Packet{
			Addr: Flow{AddrPort: Unmap(ps[letter-'a'].LocalAddr().(*net.UDPAddr).AddrPort())},
			Buf:  fmt.Appendf(nil, "%c%02d", letter, i),
		})
	}
	return list
}

// got reads what has come to all peers; loopback has delivered it.
func (ps peers) got(t *testing.T) (list []string) {
	t.Helper()
	for _, conn := range ps {
		raw, b := NewConn(conn), make([]byte, 100)
		for {
			n, _, err := raw.TryRead(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			list = append(list, string(b[:n]))
		}
	}
	return list
}

// textOf is what got returns if all of packets but the lost ones come: each peer's in order.
func textOf(packets []Packet, lost func(i int) bool) (list []string) {
	for i, p := range packets {
		if !lost(i) {
			list = append(list, string(p.Buf))
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return int(a[0]) - int(b[0]) })
	return list
}

// batch is five messages where segments are taken, eight else.
const batch = "aaabccda"

// messagesOf says which packets of batch are in which message.
func messagesOf(segments bool) [][]int {
	if segments {
		return [][]int{{0, 1, 2}, {3}, {4, 5}, {6}, {7}}
	}
	return [][]int{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}}
}

// "A datagram that the network refuses is lost, as any may be", and with it no other one; what only
// several as one are refused for loses nothing. Whatever the error, and whichever message has it.
func TestSendFaults(t *testing.T) {
	t.Parallel()
	for _, segments := range []bool{true, false} {
		s, ps := listen(t, segments), newPeers(t, 4)
		packets, messages := ps.packets(batch), messagesOf(segments)
		for at, members := range messages {
			for _, errno := range append([]unix.Errno{unix.EINTR, unix.EAGAIN}, refusals[:]...) {
				s.out.gso = segments
				failed, interrupted := false, false
				r := newScript(s, func(r *script, c call) answer {
					switch c.number {
					case unix.SYS_PPOLL:
						if !interrupted {
							interrupted = true
							return fails(unix.EINTR)
						}
					case unix.SYS_SENDMMSG:
						first := len(messages) - int(c.args[2])
						switch {
						case failed || at < first:
						case at > first:
							return c.some(at - first) // as the kernel does before the one that it refuses
						default:
							failed = true
							return fails(errno)
						}
					}
					return answer{}
				})
				withAnswers(t, r.answer, func() { s.Send(packets) })
				lost := func(i int) bool {
					return slices.Contains(members, i) && errno != unix.EINTR && errno != unix.EAGAIN && (len(members) == 1 || !segmentation(errno))
				}
				if got, want := ps.got(t), textOf(packets, lost); !slices.Equal(got, want) {
					t.Errorf("%v at message %d of %d: %v has come, want %v", errno, at, len(messages), got, want)
				}
				if (s.out.gso != segments) != (segments && errno == unix.EIO) {
					t.Errorf("%v: segmentation is %v", errno, s.out.gso)
				}
			}
		}
	}
}

// sendmmsg may take as many as it likes, and no more: each number of messages a call.
func TestShortSends(t *testing.T) {
	t.Parallel()
	s, ps := listen(t, true), newPeers(t, 4)
	packets := ps.packets(batch)
	for most := 1; most <= 5; most++ {
		r := newScript(s, func(_ *script, c call) answer { return c.some(most) })
		withAnswers(t, r.answer, func() { s.Send(packets) })
		if got, want := ps.got(t), textOf(packets, func(int) bool { return false }); !slices.Equal(got, want) {
			t.Errorf("%d a call: %v has come, want %v", most, got, want)
		}
		if n := r.count[unix.SYS_SENDMMSG]; n != (4+most)/most {
			t.Errorf("%d a call: %d calls", most, n)
		}
	}
}

// EIO from a device that cannot segment: nothing is lost, and it is not tried again.
func TestNoSegmentation(t *testing.T) {
	t.Parallel()
	s, ps := listen(t, true), newPeers(t, 4)
	packets := ps.packets(batch)
	messages, next := messagesOf(true), 0
	r := newScript(s, func(_ *script, c call) answer {
		if c.number != unix.SYS_SENDMMSG {
			return answer{}
		}
		next = len(messages) - int(c.args[2])
		if len(messages[next]) > 1 {
			return fails(unix.EIO)
		}
		return c.some(1)
	})
	withAnswers(t, r.answer, func() { s.Send(packets) })
	if got, want := ps.got(t), textOf(packets, func(int) bool { return false }); !slices.Equal(got, want) {
		t.Errorf("%v has come, want %v", got, want)
	}
	if s.Segments() {
		t.Error("segmentation is tried again")
	}
	r = newScript(s, func(_ *script, c call) answer {
		if int(c.args[2]) != len(batch) {
			return fails(unix.EIO)
		}
		return answer{}
	})
	withAnswers(t, r.answer, func() { s.Send(packets) })
	if got := ps.got(t); len(got) != len(batch) || r.count[unix.SYS_SENDMMSG] != 1 {
		t.Errorf("then %d have come, by %d calls", len(got), r.count[unix.SYS_SENDMMSG])
	}
}

// "sendWait is how long a full send buffer may hold up a flush": once, however many datagrams are in it
// and however often Send is called until one has been taken.
func TestFullForGood(t *testing.T) {
	t.Parallel()
	for _, segments := range []bool{true, false} {
		s, ps := listen(t, segments), newPeers(t, 2)
		var packets []Packet
		for range BatchLen {
			packets = append(packets, ps.packets("ab")...)
		}
		full := true
		r := newScript(s, func(_ *script, c call) answer {
			switch {
			case !full:
			case c.number == unix.SYS_PPOLL:
				return returns(0) // the time is over
			default:
				return fails(unix.EAGAIN)
			}
			return answer{}
		})
		withAnswers(t, r.answer, func() {
			s.Send(packets)
			s.Send(packets)
		})
		if n := r.count[unix.SYS_PPOLL]; n != 1 {
			t.Errorf("%d waits in two flushes of %d datagrams", n, len(packets))
		}
		full = false
		withAnswers(t, r.answer, func() { s.Send(packets[:2]) })
		if got := ps.got(t); len(got) != 2 {
			t.Errorf("%v has come when there is room", got)
		}
		full = true
		withAnswers(t, r.answer, func() { s.Send(packets[:2]) })
		if n := r.count[unix.SYS_PPOLL]; n != 2 {
			t.Errorf("%d waits, want another one", n)
		}
	}
}

// Send comes back from a socket that refuses everything, with a bounded number of calls, and sends
// when it works again.
func TestSendFailsForGood(t *testing.T) {
	t.Parallel()
	for _, errno := range append([]unix.Errno{0, unix.EAGAIN, unix.EBADF}, refusals[:]...) {
		s, ps := listen(t, true), newPeers(t, 4)
		packets, broken := ps.packets(batch), true
		r := newScript(s, func(*script, call) answer {
			if !broken {
				return answer{}
			}
			return answer{instead: true, errno: errno} // 0: nothing was taken, and no error says why
		})
		withAnswers(t, r.answer, func() { s.Send(packets) })
		calls := r.count[unix.SYS_SENDMMSG] + r.count[unix.SYS_SENDMSG]
		if got := ps.got(t); len(got) != 0 || calls > 2*len(batch) {
			t.Errorf("%v: %v has come by %d calls", errno, got, calls)
		}
		broken = false
		withAnswers(t, r.answer, func() { s.Send(packets) })
		if got := ps.got(t); len(got) != len(batch) {
			t.Errorf("%v: afterwards %v has come", errno, got)
		}
	}
}

// One datagram at once: a signal loses nothing, anything else that one.
func TestSendOneFaults(t *testing.T) {
	t.Parallel()
	s, ps := listen(t, true), newPeers(t, 1)
	for _, errno := range append([]unix.Errno{unix.EINTR, unix.EAGAIN}, refusals[:]...) {
		failed := false
		r := newScript(s, func(*script, call) answer {
			if !failed {
				failed = true
				return fails(errno)
			}
			return answer{}
		})
		packets := ps.packets("aa")
		withAnswers(t, r.answer, func() {
			s.SendOne(packets[0])
			s.SendOne(packets[1])
		})
		if got, want := ps.got(t), textOf(packets, func(i int) bool { return i == 0 && errno != unix.EINTR }); !slices.Equal(got, want) {
			t.Errorf("%v: %v has come, want %v", errno, got, want)
		}
	}
}

// An error in place of datagrams says nothing about those that wait: the same Receive has them, since a
// short one means that there are no more. A socket that does nothing but fail ends it.
func TestReceiveFaults(t *testing.T) {
	t.Parallel()
	s, ps := listen(t, true), newPeers(t, 1)
	texts := func(packets []Packet) (list []string) {
		for _, p := range packets {
			list = append(list, string(p.Buf))
		}
		return list
	}
	to := net.UDPAddrFromAddrPort(s.LocalAddr())
	send := func() (want []string) {
		for i := range 5 {
			text := fmt.Sprint(i, time.Duration(i)) // each of another length: none are put together
			if _, err := ps[0].WriteTo([]byte(text+"                "[:i]), to); err != nil {
				t.Error(err)
			}
			want = append(want, text+"                "[:i])
		}
		return want
	}
	for _, errno := range append([]unix.Errno{unix.EINTR}, refusals[:]...) {
		failed := false
		r := newScript(s, func(*script, call) answer {
			if !failed {
				failed = true
				return fails(errno)
			}
			return answer{}
		})
		want, got := send(), []string(nil)
		withAnswers(t, r.answer, func() { got = texts(s.Receive()) })
		if !slices.Equal(got, want) {
			t.Errorf("%v: %q, want %q", errno, got, want)
		}
	}
	for most := range 5 {
		r := newScript(s, func(r *script, c call) answer {
			if r.count[c.number] > 1 {
				return answer{}
			}
			if most == 0 {
				return returns(0)
			}
			return c.some(most)
		})
		want, got := send(), []string(nil)
		withAnswers(t, r.answer, func() {
			got = texts(s.Receive())
			got = append(got, texts(s.Receive())...)
		})
		if !slices.Equal(got, want) || r.count[unix.SYS_RECVMMSG] != 2 {
			t.Errorf("%d of 5: %q by %d calls", most, got, r.count[unix.SYS_RECVMMSG])
		}
	}
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.EBADF, unix.ENOMEM} {
		r := newScript(s, func(*script, call) answer { return fails(errno) })
		withAnswers(t, r.answer, func() {
			if got := s.Receive(); len(got) != 0 {
				t.Errorf("%v: %v", errno, got)
			}
		})
		if n := r.count[unix.SYS_RECVMMSG]; n > receiveTries || errno == unix.EAGAIN && n != 1 {
			t.Errorf("%v: %d calls", errno, n)
		}
	}
}

// A client that polls: a signal is nothing, and each other error is one read's.
func TestTryReadFaults(t *testing.T) {
	t.Parallel()
	ps := newPeers(t, 2)
	reader, b := NewConn(ps[0]), make([]byte, 10)
	raw, err := ps[0].SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := &native{}
	if err := raw.Control(func(fd uintptr) { s.fd = int(fd) }); err != nil {
		t.Fatal(err)
	}
	for _, errno := range append([]unix.Errno{unix.EINTR, unix.EAGAIN}, refusals[:]...) {
		failed := false
		r := newScript(s, func(*script, call) answer {
			if !failed {
				failed = true
				return fails(errno)
			}
			return answer{}
		})
		if _, err := ps[1].WriteTo([]byte("hello"), ps[0].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		withAnswers(t, r.answer, func() {
			n, _, err := reader.TryRead(b)
			want := error(errno)
			switch errno {
			case unix.EINTR:
				want = nil
			case unix.EAGAIN:
				want = os.ErrDeadlineExceeded
			}
			if !errors.Is(err, want) {
				t.Errorf("%v becomes %v", errno, err)
			}
			if errno != unix.EINTR {
				n, _, err = reader.TryRead(b)
			}
			if err != nil || string(b[:n]) != "hello" {
				t.Errorf("after %v: %q, %v", errno, b[:n], err)
			}
		})
	}
}

// A wait that the system refuses keeps no processor busy, one that a signal ends returns at once, and
// neither loses a Wake.
func TestWaitFaults(t *testing.T) {
	t.Parallel()
	s := listen(t, true)
	for _, errno := range []unix.Errno{unix.EINTR, unix.ENOMEM, unix.EPERM, unix.ENOSYS} {
		r := newScript(s, func(*script, call) answer { return fails(errno) })
		withAnswers(t, r.answer, func() {
			began := time.Now()
			for range 10 {
				s.Wait(time.Hour, false)
			}
			if took := time.Since(began); errno != unix.EINTR && took < 10*FailurePause {
				t.Errorf("%v: ten waits take %v", errno, took)
			}
			began = time.Now()
			for range 10 {
				s.Wait(0, false)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%v: ten waits for nothing take %v", errno, took)
			}
		})
		if n := r.count[unix.SYS_PPOLL]; n != 20 {
			t.Errorf("%v: %d system calls for 20 waits", errno, n)
		}
		s.Wake()
		began := time.Now()
		if s.Wait(time.Minute, false); time.Since(began) > 30*time.Second {
			t.Errorf("%v: a Wake was lost", errno)
		}
	}
}
