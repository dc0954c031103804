package program

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/filter"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// maps is a directory in a BPF file system of the test's own, which is not made yet.
func maps(t *testing.T) string {
	t.Helper()
	return testkit.BPFDir(t) + "/sallyport"
}

// load loads the filter for a port.
func load(t *testing.T, dir string, port uint16) *filter.Filter {
	t.Helper()
	f, err := filter.Load(filter.Config{Ports: []uint16{port}, Dir: dir, Peers: 1024})
	testkit.AllowBPF(t, err)
	return f
}

// "Either may come, go and be restarted." -h: without a filter players come in, and the log says what is missing until it is there.
func TestFilterComesLater(t *testing.T) {
	t.Parallel()
	dir := maps(t)
	s := run(t, "-filter", dir)
	s.out.Await(t, "no maps are pinned in "+dir+": start sallyport-filter")
	echo(t, s.join(t, "alice"))
	if got := s.metric(t, "sallyport_filter_feeding"); got != "0" {
		t.Errorf("without a filter sallyport_filter_feeding is %s", got)
	}
	_, text, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	f := load(t, dir, uint16(port))
	defer f.Close() //nolint:errcheck // it is attached to nothing
	s.out.Await(t, "the filter knows the players")
	if got := s.metric(t, "sallyport_filter_feeding"); got != "1" || !f.Serving(uint16(port)) {
		t.Errorf("with a filter sallyport_filter_feeding is %s, and that the filter hears the server is %v", got, f.Serving(uint16(port)))
	}
	if got := s.metric(t, "sallyport_filter_seeing"); got != "0" {
		t.Errorf("with a filter that is attached to nothing sallyport_filter_seeing is %s", got)
	}
	if n, _ := f.Known(); n != 1 {
		t.Errorf("the filter knows %d players, want alice", n)
	}
}

const (
	playersHost = "SALLYPORT_PLAYERS_HOST" // is set in the process that is the players' host, at the other end of a cable
	strangers   = 100                      // datagrams that nobody's player has sent
	behind      = "192.0.2.1:7777"
)

// The program with -filter behind a filter that is attached to its interface: a player on another host comes in and plays, and a
// stranger's datagrams do not come to the socket.
func TestBehindFilter(t *testing.T) {
	t.Parallel()
	if os.Getenv(playersHost) != "" {
		playBehind(t)
	} else {
		testkit.OwnNetwork(t, serveBehind)
	}
}

// serveBehind is the server's host. It tells the players' host by lines what to do.
func serveBehind(n *testkit.Network) {
	t := n.T
	dir := maps(t)
	attached := load(t, dir, 7777)
	beside := load(t, dir, 7777) // to look into the maps
	t.Cleanup(func() { beside.Close() })
	t.Cleanup(func() { // after the program's end
		if beside.Serving(7777) {
			t.Error("the program has ended, and the filter does not let everything pass")
		}
	})
	players, out := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v"), new(testkit.Console)
	players.Env = append(os.Environ(), playersHost+"=true")
	players.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	players.Stdout, players.Stderr = out, out
	tell, err := players.StdinPipe()
	if err == nil {
		err = players.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	n.IP("link add v0 type veth peer name v1 netns " + strconv.Itoa(players.Process.Pid))
	n.IP("addr add 192.0.2.1/24 dev v0")
	n.IP("link set v0 up")
	if _, err := attached.Attach("v0", filter.Best); err != nil {
		t.Fatal(err)
	}
	s := run(t, "-filter", dir, "-listen", behind)
	s.out.Await(t, "the filter knows the players")
	alice, err := s.issuer.Mint(time.Now(), token.Grant{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(tell, "%x %s\n", s.pin, alice)
	out.Await(t, "alice is in")
	counts := func() filter.Counts {
		t.Helper()
		n, err := attached.Counts()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	in := counts() // what she sent before the filter knew her was dropped, and said again
	fmt.Fprintln(tell, "go on")
	out.Await(t, "alice plays beside strangers")

	const toTheSocket = `sallyport_drops_total{reason="source"}`
	now := counts()
	if n := now[filter.DropStranger] - in[filter.DropStranger]; n != strangers || now[filter.PassPeer] == in[filter.PassPeer] || in[filter.PassHello] == 0 {
		t.Errorf("%d datagrams of strangers dropped, want %d; before %v, after %v", n, strangers, in, now)
	}
	if got := s.metric(t, toTheSocket); got != "0" {
		t.Errorf("%s of strangers' datagrams have come to the socket", got)
	}
	if got := s.metric(t, "sallyport_filter_feeding"); got != "1" {
		t.Errorf("sallyport_filter_feeding is %s", got)
	}
	for start := time.Now(); s.metric(t, "sallyport_filter_seeing") != "1"; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("sallyport_filter_seeing stays 0 while alice plays through the filter")
		}
	}

	// Without the filter the same datagrams do come to the socket.
	if err := attached.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(tell, "once more")
	out.Await(t, "strangers alone")
	for start := time.Now(); s.metric(t, toTheSocket) == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("strangers' datagrams do not come to the socket without a filter, either")
		}
	}
	tell.Close() //nolint:errcheck // the players leave
	if err := players.Wait(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// playBehind is the players' host.
func playBehind(t *testing.T) {
	lines := bufio.NewScanner(os.Stdin)
	if !lines.Scan() {
		return // the server's host has ended
	}
	if err := errors.Join(testkit.IP("link set v1 up"), testkit.IP("addr add 192.0.2.2/24 dev v1")); err != nil {
		t.Fatal(err)
	}
	text, alice, _ := strings.Cut(lines.Text(), " ")
	var pin [32]byte
	if _, err := hex.Decode(pin[:], []byte(text)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := transport.Dial(ctx, behind, transport.ClientConfig{
		Pin: &pin, Token: func(context.Context) ([]byte, error) { return []byte(alice), nil }, Session: session.ClientConfig{Lanes: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it is over
	echo(t, c)
	fmt.Println("alice is in")
	lines.Scan()
	stranger, err := net.Dial("udp", behind)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()                                                                       //nolint:errcheck // it has no state
	record := append([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 60}, make([]byte, 60)...) // of application data
	for i := range strangers {
		if _, err := stranger.Write(record); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			echo(t, c)
		}
	}
	echo(t, c)
	fmt.Println("alice plays beside strangers")
	lines.Scan()
	for range strangers {
		if _, err := stranger.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("strangers alone")
	lines.Scan()
}
