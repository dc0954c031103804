package udp

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/testkit"
)

// call is a system call that waits to be answered.
type call struct {
	number int
	args   [6]uint64
}

// answer is what the caller gets in place of what the kernel says. The zero answer has the kernel
// carry the call out.
type answer struct {
	instead bool
	value   int
	errno   unix.Errno
}

func fails(errno unix.Errno) answer { return answer{instead: true, errno: errno} }

func returns(n int) answer { return answer{instead: true, value: n} }

// watched are the system calls on which a socket of this package stands.
var watched = [...]uint32{unix.SYS_SENDMMSG, unix.SYS_SENDMSG, unix.SYS_RECVMMSG, unix.SYS_RECVFROM, unix.SYS_PPOLL}

func init() { mayWait = true }

// watchedThread runs functions, one at a time, whose watched system calls are answered by a test
// (seccomp_unotify(2)), so that the code under test is the code that ships. It lasts for as long as the
// process: a thread that ended might hand its filter on to the one that takes its place.
type watchedThread struct {
	jobs chan func()

	running sync.Mutex // held while one runs
	turn    sync.Mutex // held while a call is answered: the test sees what the answer has changed
	// +checklocks:turn
	answers func(call) answer
}

var theWatchedThread = sync.OnceValues(func() (*watchedThread, error) {
	w, listener := &watchedThread{jobs: make(chan func())}, make(chan int)
	var refused error
	go func() {
		runtime.LockOSThread()
		var fd int
		fd, refused = watch()
		listener <- fd
		for job := range w.jobs {
			job()
		}
	}()
	fd := <-listener
	if refused != nil {
		return nil, fmt.Errorf("the system refuses a seccomp filter: %w", refused)
	}
	go w.supervise(fd)
	return w, nil
})

// withAnswers runs f on a thread whose watched system calls are answered one after the other. f must
// not end the test.
func withAnswers(t *testing.T, answers func(call) answer, f func()) {
	t.Helper()
	w, err := theWatchedThread()
	if err != nil {
		testkit.Need(t, err)
	}
	w.running.Lock()
	defer w.running.Unlock()
	w.answer(answers)
	done := make(chan struct{})
	w.jobs <- func() {
		defer close(done)
		f()
	}
	<-done
	w.answer(nil)
}

// answer has calls answered by f from now on.
func (w *watchedThread) answer(f func(call) answer) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.answers = f
}

// watch has the kernel ask about the watched system calls of this thread, and returns where.
func watch() (int, error) {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for i, number := range watched {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jt: uint8(len(watched) - i)})
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// supervise answers for ever.
func (w *watchedThread) supervise(fd int) {
	for {
		var question [80]byte // struct seccomp_notif
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&question))); errno != 0 {
			continue // a signal has ended the call, which comes again
		}
		c := call{number: int(int32(binary.NativeEndian.Uint32(question[16:])))}
		for i := range c.args {
			c.args[i] = binary.NativeEndian.Uint64(question[32+8*i:])
		}
		w.turn.Lock()
		a := w.answers(c)
		w.turn.Unlock()
		var reply [24]byte // struct seccomp_notif_resp
		copy(reply[:8], question[:8])
		switch {
		case !a.instead:
			binary.NativeEndian.PutUint32(reply[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		case a.errno != 0:
			binary.NativeEndian.PutUint32(reply[16:], uint32(-int32(a.errno)))
		default:
			binary.NativeEndian.PutUint64(reply[8:], uint64(a.value))
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&reply)))
	}
}

// some carries a recvmmsg or sendmmsg out for at most so many messages: a short batch.
func (c call) some(most int) answer {
	n, _, errno := unix.Syscall6(uintptr(c.number), uintptr(c.args[0]), uintptr(c.args[1]), uintptr(min(int(c.args[2]), most)), unix.MSG_DONTWAIT, 0, 0)
	return answer{instead: true, value: int(n), errno: errno}
}
