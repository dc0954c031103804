package testkit

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// manyPorts is set for a process that TestFreePort starts: how many ports it takes.
const manyPorts = "TESTKIT_PORTS"

// "No other call returns one that is less than eight away before the test has ended", in this process or in another that
// has the same test running: together these processes take two thirds of what there is.
func TestFreePort(t *testing.T) {
	const processes, each = 4, (endPort - firstPort) / blockSize / 6
	if os.Getenv(manyPorts) != "" {
		for range each {
			fmt.Println("port", FreePort(t))
		}
		os.Stdout.Sync()               //nolint:errcheck // a pipe
		os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // until the parent has seen them all
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out [processes]Console
	for i := range out {
		cmd := exec.Command(self, "-test.run=^TestFreePort$", "-test.count=1")
		cmd.Env = append(os.Environ(), manyPorts+"=1")
		cmd.Stdout, cmd.Stderr = &out[i], &out[i]
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close() //nolint:errcheck // a pipe
			if err := cmd.Wait(); err != nil {
				t.Errorf("a process with %d ports: %v", strings.Count(out[i].String(), "\n"), err)
			}
		})
	}
	taken := make(map[int]int)
	for i := range out {
		out[i].await(t, "all ports", func(s string) bool { return strings.Count(s, "\n") >= each })
		for line := range strings.Lines(out[i].String()) {
			port, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "port ")))
			if err != nil {
				t.Fatal(err)
			}
			for p := port - blockGiven; p <= port; p++ {
				if taken[p]++; taken[p] > 1 {
					t.Errorf("port %d, for %d, is another's too", p, port)
				}
			}
		}
	}
}

// A port that somebody listens on is no free one, nor is one with such a port below.
func TestFreePortTaken(t *testing.T) {
	t.Parallel()
	port, err := strconv.Atoi(FreePort(t))
	if err != nil {
		t.Fatal(err)
	}
	for p := port - blockGiven; p <= port; p++ {
		l, err := net.Listen("tcp", loopback(p))
		if err != nil {
			t.Fatal(err)
		}
		if free(port-blockGiven, port) {
			t.Errorf("%d is free with somebody on %d by TCP", port, p)
		}
		l.Close() //nolint:errcheck // it has never served
		conn, err := net.ListenPacket("udp", loopback(p))
		if err != nil {
			t.Fatal(err)
		}
		if free(port-blockGiven, port) {
			t.Errorf("%d is free with somebody on %d by UDP", port, p)
		}
		conn.Close() //nolint:errcheck // it has never served
	}
	if !free(port-blockGiven, port) {
		t.Errorf("%d is not free any more", port)
	}
}

// Ports of one call are free, and none is there twice.
func TestFreePorts(t *testing.T) {
	t.Parallel()
	seen := make(map[int]bool)
	for _, p := range FreePorts(t, 2*(blockGiven+1)+1) {
		if seen[p] || !free(p, p) {
			t.Errorf("port %d is not free", p)
		}
		seen[p] = true
	}
	if len(seen) != 2*(blockGiven+1)+1 {
		t.Errorf("%d ports", len(seen))
	}
}
