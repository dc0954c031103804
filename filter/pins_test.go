package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/transport"
)

// faults are what Check tells apart.
var faults = map[string]error{"config": ErrConfig, "forbidden": ErrForbidden, "version": ErrVersion, "absent": fs.ErrNotExist, "permission": fs.ErrPermission}

// faultOf names those that an error matches. EPERM is a fs.ErrPermission, too, and says less than ErrForbidden.
func faultOf(err error) (name string) {
	if errors.Is(err, ErrForbidden) {
		return "forbidden"
	}
	for n, fault := range faults {
		if errors.Is(err, fault) {
			name += n
		}
	}
	return name
}

// wants fails unless Check has found this fault, and says what is to be done.
func wants(t *testing.T, what string, err error, fault, says string) {
	t.Helper()
	if got := faultOf(err); got != fault || (err != nil && !strings.Contains(err.Error(), says)) {
		t.Errorf("%s: %q, %v; want %q, and that it says %q", what, got, err, fault, says)
	}
}

// asChecker names the directory for the child process that looks there, and forbidsBPF that it has no bpf(2).
const (
	asChecker  = "SALLYPORT_FILTER_CHECK"
	forbidsBPF = "SALLYPORT_FILTER_FORBIDS"
)

// Check finds out what keeps a Feed from the maps, and says what is to be done.
func TestCheck(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(asChecker); dir != "" {
		if os.Getenv(forbidsBPF) != "" {
			forbidBPF(t)
		}
		err := Check(dir)
		fmt.Printf("fault: %q, %v\n", faultOf(err), err)
		return
	}
	wants(t, "no BPF file system", Check(t.TempDir()+"/maps/of/ours"), "config", "mount -t bpf bpf /sys/fs/bpf")

	const user = 12345
	b := newBench(t, func(c *Config) { c.Owner = user })
	root := filepath.Dir(b.config.Dir)
	wants(t, "maps", Check(b.config.Dir), "", "")
	wants(t, "no directory", Check(root+"/none"), "absent", "-dir "+root+"/none")
	b.enter()
	exe := executable(t)
	as := func(what string, uid uint32, dir, fault, says string, env ...string) {
		t.Helper()
		out := asUserRun(t, exe, uid, append(env, asChecker+"="+dir)...)
		if want := fmt.Sprintf("fault: %q", fault); !strings.Contains(out, want) || !strings.Contains(out, says) {
			t.Errorf("%s: %s; want %s, and that it says %q", what, out, want, says)
		}
	}
	as("their user", user, b.config.Dir, "", "")
	as("another user", user+1, b.config.Dir, "permission", fmt.Sprint("-user ", user+1))
	as("without bpf(2)", user, b.config.Dir, "forbidden", "SystemCallFilter=bpf", forbidsBPF+"=1")
	as("without bpf(2), and without a filter", user, root+"/none", "forbidden", "CAP_BPF", forbidsBPF+"=1")
	if err := os.Chmod(root, 0o700); err != nil { // as systemd mounts it
		t.Fatal(err)
	}
	as("a file system of root's", user, b.config.Dir, "permission", "chmod o+x "+root)

	if err := os.Remove(b.config.Dir + "/hints"); err != nil {
		t.Fatal(err)
	}
	wants(t, "a map is missing", Check(b.config.Dir), "absent", "start sallyport-filter")
	other, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 24, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // it has no state
	if err := other.Pin(b.config.Dir + "/hints"); err != nil {
		t.Fatal(err)
	}
	wants(t, "another layout", Check(b.config.Dir), "version", "own version")
	b.feed.Peers(nil)
	if log := b.log.String(); b.feed.Feeding() || !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "own version") {
		t.Errorf("the feed of another layout: %s", log)
	}
}

// A filter of other ports is none, and the log says so. The program that is loaded next filters its own ports alone.
func TestOtherPort(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Ports = []uint16{localPort + 1} })
	peers := []transport.Peer{{Addr: player4, ConnectionID: playerID, For: time.Minute}}
	b.feed.Peers(peers)
	if log := b.log.String(); b.feed.Feeding() || !strings.Contains(log, fmt.Sprint("with -port ", localPort)) {
		t.Errorf("a filter of another port: %s", log)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Load(Config{Ports: []uint16{localPort}, Dir: b.config.Dir, Peers: b.config.Peers})
	if err != nil {
		t.Fatal(err)
	}
	*b.Filter = *f
	b.feed.Peers(nil)
	if !b.feed.Feeding() {
		t.Errorf("after it was loaded for the port: %s", b.log.String())
	}
	b.everybody("then", peers)
	if got := b.judge(frame{from: other4, port: localPort + 1, payload: recordWith(1, 9)}.bytes()); got != PassOther {
		t.Errorf("the port of the program before: %v", got)
	}
	if err := b.feed.Close(); err != nil || b.feed.Feeding() {
		t.Errorf("a closed feed feeds (%v)", err)
	}
}

// forbidBPF has bpf(2) fail from now on in this process, as the seccomp filters of systemd and of containers do.
func forbidBPF(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const offsetOfNumber = 0
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offsetOfNumber},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_BPF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	all := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&all))); errno != 0 {
		t.Fatal(errno)
	}
}
