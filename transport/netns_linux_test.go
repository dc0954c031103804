package transport

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

	"github.com/sallyport/sallyport/internal/testkit"
)

// ownNetwork names the test that a child process is to run.
const ownNetwork = "SALLYPORT_OWN_NETWORK"

// alone runs f in a child process with a network of its own: a loopback interface, and
// whatever the test makes besides. That takes root.
func alone(t *testing.T, f func(n *ownNet)) {
	t.Helper()
	if os.Getenv(ownNetwork) == t.Name() {
		n := &ownNet{T: t}
		n.ip("link set lo up")
		f(n)
		return
	}
	if _, err := exec.LookPath("ip"); err != nil {
		testkit.Need(t, testkit.Install("iproute2"))
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), ownNetwork+"="+t.Name())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := child.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		testkit.Need(t, errors.New("only root may make a network namespace"))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("it has not run:\n%s", out)
	}
}

// ownNet is the network of a child process.
type ownNet struct {
	*testing.T
	jobs chan func() // for the thread of the other host
}

// ip runs an ip command on this host.
func (n *ownNet) ip(args string) {
	n.Helper()
	if err := ipCommand(args); err != nil {
		n.Fatal(err)
	}
}

func ipCommand(args string) error {
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}

// neighbour makes another host, and a cable to it: our end is v0, its end is v1.
func (n *ownNet) neighbour() {
	n.Helper()
	n.jobs = make(chan func())
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
	n.ip("link add v0 type veth peer name v1 netns " + strconv.Itoa(thread))
	n.ip("link set v0 up")
	n.there(func() error { return errors.Join(ipCommand("link set lo up"), ipCommand("link set v1 up")) })
}

// address gives v0 and v1 an address each.
func (n *ownNet) address(ours, theirs string) {
	n.Helper()
	nodad := ""
	if strings.Contains(ours, ":") {
		nodad = " nodad" // it is in use at once
	}
	n.ip("addr add " + ours + " dev v0" + nodad)
	n.there(func() error { return ipCommand("addr add " + theirs + " dev v1" + nodad) })
}

// there runs f on the other host, on which the sockets stay that f makes. f must not end
// the test.
func (n *ownNet) there(f func() error) {
	n.Helper()
	done := make(chan error)
	n.jobs <- func() { done <- f() }
	if err := <-done; err != nil {
		n.Fatal(err)
	}
}
