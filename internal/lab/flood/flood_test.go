//go:build linux

package flood

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/handshake"
)

func TestMain(m *testing.M) {
	if IsChild() {
		os.Exit(Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func TestFirstHello(t *testing.T) {
	hello, err := firstHello()
	if err != nil {
		t.Fatal(err)
	}
	if !handshake.IsFirstHello(hello) {
		t.Errorf("%x is no first ClientHello", hello)
	}
	random := handshake.Random(hello)
	for at := randomAt; at < randomAt+randomLen; at++ {
		hello[at] ^= 0xff
	}
	for i, b := range handshake.Random(hello) {
		if b != random[i]^0xff {
			t.Fatalf("byte %d of the random is not where the flood writes it", i)
		}
	}
}

// Players have addresses of their own, and so has each newcomer, in a player's network.
func TestAddresses(t *testing.T) {
	seen, networks := map[[4]byte]bool{}, map[[3]byte]bool{}
	for i := range Players {
		a := player(i).As4()
		if seen[a] {
			t.Fatalf("%v twice", a)
		}
		seen[a], networks[[3]byte(a[:3])] = true, true
	}
	for i := range newcomers {
		a := newcomer(i, Players).As4()
		if seen[a] || !networks[[3]byte(a[:3])] {
			t.Errorf("newcomer %v is a player, or in no player's network", a)
		}
		seen[a] = true
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		if a := elsewhere(rng); networks[[3]byte(a[:3])] || a[0] != 127 || a[1]&0xc0 != 64 {
			t.Fatalf("%v is not elsewhere", a)
		}
		if a := among(Players)(rng); !networks[[3]byte(a[:3])] {
			t.Fatalf("%v is in no player's network", a)
		}
	}
}

func TestJudge(t *testing.T) {
	quiet := Phase{Name: "quiet", Sent: 1000, P99: 100, Memory: 50 << 20, Buffer: MinBuffer}
	flood := Phase{Name: "flood", Sent: 10000, P99: 300, Memory: 66 << 20, Buffer: MinBuffer, Flooded: 1000, Newcomers: 2, In: 2, Lost: 10}
	for name, c := range map[string]struct {
		change func(p *Phase)
		want   string // in the only failure; empty means none
	}{
		"all bounds reached":  {func(*Phase) {}, ""},
		"a player is out":     {func(p *Phase) { p.Gone = 1 }, "1 players are out"},
		"a player resumed":    {func(p *Phase) { p.Resumed = 1 }, "1 have gone on by ticket"},
		"one more lost":       {func(p *Phase) { p.Lost++ }, "11 of 10000 inputs lost"},
		"a small buffer":      {func(p *Phase) { p.Lost, p.Buffer = 5000, MinBuffer-1 }, ""},
		"slower":              {func(p *Phase) { p.P99++ }, "3.0 times"},
		"more memory":         {func(p *Phase) { p.Memory++ }, "more resident"},
		"a newcomer kept out": {func(p *Phase) { p.In-- }, "1 of 2 newcomers"},
		"nobody plays":        {func(p *Phase) { p.Sent, p.Lost = 0, 0 }, "nobody has played"},
	} {
		t.Run(name, func(t *testing.T) {
			p := flood
			c.change(&p)
			r := Report{Config: Config{Rate: 1000, Duration: time.Second}, Phases: []Phase{quiet, p}}
			r.judge()
			if r.OK() != (c.want == "") || c.want != "" && (len(r.Failures) != 1 || !strings.Contains(r.Failures[0], c.want)) {
				t.Errorf("failures %q, want one with %q", r.Failures, c.want)
			}
		})
	}
	t.Run("not shown", func(t *testing.T) {
		q, p := quiet, flood
		q.Buffer, p.Flooded = MinBuffer-1, 899
		r := Report{Config: Config{Rate: 1000, Duration: time.Second}, Phases: []Phase{q, p}}
		if r.judge(); len(r.NotShown) != 2 {
			t.Errorf("not shown: %q, want the loss and the rate", r.NotShown)
		}
	})
}

func TestCheck(t *testing.T) {
	for _, c := range []Config{
		{Players: 0, Rate: Rate, Duration: time.Minute},
		{Players: MaxPlayers + 1, Rate: Rate, Duration: time.Minute},
		{Players: 1, Rate: 999, Duration: time.Minute},
		{Players: 1, Rate: Rate, Duration: time.Second},
	} {
		if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A socket gets what spray sends: first ClientHellos, none twice, from other addresses than the sender's.
func TestSpray(t *testing.T) {
	hello, err := firstHello()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var spraying sync.WaitGroup
	defer spraying.Wait()
	defer cancel()
	spraying.Go(func() {
		if _, err := spray(ctx, socket.LocalAddr().(*net.UDPAddr).AddrPort(), hello, 10_000, elsewhere); err != nil {
			t.Error(err)
		}
	})
	seen := map[[32]byte]bool{}
	b := make([]byte, 2048)
	for range 500 {
		_ = socket.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, from, err := socket.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		if !handshake.IsFirstHello(b[:n]) || seen[handshake.Random(b[:n])] {
			t.Fatalf("%x is no first ClientHello, or comes twice", b[:n])
		}
		seen[handshake.Random(b[:n])] = true
		if a := from.Addr().Unmap().As4(); a[0] != 127 || a[1]&0xc0 != 64 {
			t.Fatalf("from %v", from)
		}
	}
}

// must ends the test unless all went well.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Others leave the server's processor, and are where they were once it has ended, for whatever reason its
// parent has; so are those whom they have started meanwhile. What is bound there stays.
func TestAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("moving other programs needs root")
	}
	var everywhere unix.CPUSet
	if err := unix.SchedGetaffinity(0, &everywhere); err != nil || !everywhere.IsSet(serverProcessor) || everywhere.Count() < 2 {
		t.Skip("needs two processors: ", err)
	}
	runs := func(c *exec.Cmd, start func(*exec.Cmd) error) int {
		must(t, start(c))
		t.Cleanup(func() { c.Process.Kill(); c.Wait() }) //nolint:errcheck // it is over then
		return c.Process.Pid
	}
	bound := runs(exec.Command("sleep", "60"), func(c *exec.Cmd) error { return startOn(serverProcessor, c) })
	shell := exec.Command("sh", "-c", "read line; sleep 60 & echo $!; wait")
	in, err := shell.StdinPipe()
	must(t, err)
	out, err := shell.StdoutPipe()
	must(t, err)
	other := runs(shell, (*exec.Cmd).Start)
	on := func(pid int) bool {
		var set unix.CPUSet
		must(t, unix.SchedGetaffinity(pid, &set))
		return set.IsSet(serverProcessor)
	}
	server, err := start(serverProcessor)
	must(t, err)
	a, err := server.ask(askAlone)
	must(t, err)
	_, err = io.WriteString(in, "go\n")
	must(t, err)
	var late int
	_, err = fmt.Fscan(out, &late)
	must(t, err)
	t.Cleanup(func() { syscall.Kill(late, syscall.SIGKILL) }) //nolint:errcheck // it is over then
	if a.Moved == 0 || !on(server.process.ID()) || !on(bound) || on(other) || on(late) {
		t.Errorf("%d moved; on the processor: server %v, one that is bound %v, another %v, one that it has started %v",
			a.Moved, on(server.process.ID()), on(bound), on(other), on(late))
	}
	must(t, server.end())
	if !on(other) || !on(late) {
		t.Errorf("put back: another %v, one that it has started %v", on(other), on(late))
	}
}
