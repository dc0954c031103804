package testkit

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
)

// Network is a network of a test's own: this host, and after Cable another one.
type Network struct {
	*testing.T
	jobs chan func() // for the thread of the other host
}

// ownNetwork is the variable with the name of the test that a child process runs.
const ownNetwork = "SALLYPORT_OWN_NETWORK"

// OwnNetwork runs f, which is all that the test does, in a child process with a network of its own: a loopback interface, and
// whatever f makes besides. That takes root, and the program ip. What becomes of the child becomes of the test.
func OwnNetwork(t *testing.T, f func(n *Network)) {
	t.Helper()
	if os.Getenv(ownNetwork) == t.Name() {
		n := &Network{T: t}
		n.IP("link set lo up")
		f(n)
		return
	}
	if _, err := exec.LookPath("ip"); err != nil {
		Need(t, Install("iproute2"))
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), ownNetwork+"="+t.Name())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := child.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		Need(t, errors.New("only root may make a network namespace"))
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Fatalf("it has not run:\n%s", out)
	}
	t.Logf("%s", out)
}

// IP runs an ip command on the host of the thread that calls it.
func IP(args string) error {
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}

// IP runs an ip command on this host.
func (n *Network) IP(args string) {
	n.Helper()
	if err := IP(args); err != nil {
		n.Fatal(err)
	}
}

// Cable makes another host, and a cable to it: our end is v0, its end is v1.
func (n *Network) Cable() {
	n.Helper()
	n.jobs = make(chan func())
	made := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and the host with it
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			n.Error(err)
		}
		made <- syscall.Gettid()
		for f := range n.jobs {
			f()
		}
	}()
	thread := <-made
	n.Cleanup(func() { close(n.jobs) })
	n.IP("link add v0 type veth peer name v1 netns " + strconv.Itoa(thread))
	n.IP("link set v0 up")
	n.There(func() error { return errors.Join(IP("link set lo up"), IP("link set v1 up")) })
}

// Address gives v0 and v1 an address each.
func (n *Network) Address(ours, theirs string) {
	n.Helper()
	nodad := ""
	if strings.Contains(ours, ":") {
		nodad = " nodad" // it is in use at once
	}
	n.IP("addr add " + ours + " dev v0" + nodad)
	n.There(func() error { return IP("addr add " + theirs + " dev v1" + nodad) })
}

// There runs f on the other host, on which the sockets stay that f makes. f must not end the test.
func (n *Network) There(f func() error) {
	n.Helper()
	done := make(chan error)
	n.jobs <- func() { done <- f() }
	if err := <-done; err != nil {
		n.Fatal(err)
	}
}
