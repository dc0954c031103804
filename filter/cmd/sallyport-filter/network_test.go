package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetwork names the test that a child process is to run.
const ownNetwork = "SALLYPORT_FILTER_NETWORK"

// alone runs f in a child process with a network and mounts of its own.
func alone(t *testing.T, f func(n *network)) {
	t.Helper()
	if os.Getenv(ownNetwork) == t.Name() {
		f(newNetwork(t))
		return
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip is not installed: apt-get install iproute2")
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), ownNetwork+"="+t.Name())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := child.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM):
		t.Skip("network namespaces are not allowed here: only root may make one")
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Fatalf("it has not run:\n%s", out)
	}
	t.Logf("%s", out)
}

// network is that of a child process: this host, and another one at the end of a cable. Our end is v0, its end is v1.
type network struct {
	*testing.T

	maps string      // a directory in a BPF file system
	jobs chan func() // for the thread of the other host
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{T: t, jobs: make(chan func())}
	root := t.TempDir()
	if err := unix.Mount("bpf", root, "bpf", 0, ""); errors.Is(err, unix.EPERM) {
		t.Skip("BPF is not allowed here: no BPF file system can be mounted")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(root, 0) })
	n.maps = root + "/sallyport"

	made := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and the host with it
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			n.Error(err)
		}
		made <- unix.Gettid()
		for f := range n.jobs {
			f()
		}
	}()
	thread := <-made
	n.Cleanup(func() { close(n.jobs) })
	n.ip("link set lo up")
	n.ip("link add v0 type veth peer name v1 netns " + strconv.Itoa(thread))
	n.ip("link set v0 up")
	n.ip("addr add 192.0.2.1/24 dev v0")
	n.ip("route add default dev v0") // answers to forged addresses leave by the cable, too
	n.there(func() error {
		return errors.Join(ip("link set lo up"), ip("link set v1 up"), ip("addr add 192.0.2.2/24 dev v1"), ip("addr add 192.0.2.3/24 dev v1"))
	})
	return n
}

func (n *network) ip(args string) {
	n.Helper()
	if err := ip(args); err != nil {
		n.Fatal(err)
	}
}

func ip(args string) error {
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}

// there runs f on the other host, on which the sockets stay that f makes. f must not end the test.
func (n *network) there(f func() error) {
	n.Helper()
	done := make(chan error)
	n.jobs <- func() { done <- f() }
	if err := <-done; err != nil {
		n.Fatal(err)
	}
}
