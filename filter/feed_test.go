package filter

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// crowd are so many players.
func crowd(n int) (changes []transport.Peer) {
	for i := range n {
		changes = append(changes, transport.Peer{
			Addr:         netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 5000),
			ConnectionID: 0x10000000 + uint32(i), For: time.Minute,
		})
	}
	return changes
}

// everybody fails unless all of them pass, and a stranger does not.
func (b *bench) everybody(when string, players []transport.Peer) {
	b.Helper()
	for _, p := range players {
		if got := b.judge(frame{from: p.Addr, payload: recordWith(0x1234567, 9)}.bytes()); got != PassPeer {
			b.Fatalf("%s: player %v: %v", when, p.Addr, got)
		}
		if got := b.judge(frame{from: other6, payload: recordWith(p.ConnectionID, 9)}.bytes()); got != PassRoamer {
			b.Fatalf("%s: connection id %x: %v", when, p.ConnectionID, got)
		}
	}
	if got := b.judge(frame{from: other4, payload: recordWith(0x1234567, 9)}.bytes()); got != DropStranger {
		b.Errorf("%s: a stranger: %v", when, got)
	}
}

// "Either side may be restarted: the maps stay, and a Feed writes everything anew into maps that are new." doc.go
func TestRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	players := crowd(100)
	b.feed.Peers(players)
	b.everybody("at first", players[:10])

	reload := func(configure func(*Config)) {
		t.Helper()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		c := b.config
		configure(&c)
		f, err := Load(c)
		if err != nil {
			t.Fatal(err)
		}
		*b.Filter = *f
	}
	reload(func(*Config) {})
	b.everybody("after the program was loaded again", players[:10])

	reload(func(c *Config) { c.Peers = 2048 }) // other maps
	if got := b.judge(frame{from: other4, payload: recordWith(1, 9)}.bytes()); got != PassOpen {
		t.Errorf("new maps that the server does not know yet: %v", got)
	}
	b.feed.Peers(nil)
	b.everybody("new maps", players)

	if err := b.feed.Close(); err != nil { // the next process of the server, which knows of nobody yet
		t.Fatal(err)
	}
	b.feed = b.newFeed(b.config.Dir)
	b.feed.Peers(nil)
	b.everybody("after the server was started again", players[:10])

	for _, name := range pinned {
		if err := os.Remove(b.config.Dir + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	b.feed.Peers(players[:1])
	if !strings.Contains(b.log.String(), "there is no filter on this host") {
		t.Errorf("the log: %s", b.log.String())
	}
}

// "A full map has the same effect at once: the Feed takes its beat back until there is room." doc.go
func TestFullMap(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Peers = 50 })
	b.feed.Peers(crowd(50))
	b.everybody("as many as fit", crowd(50))
	b.feed.Peers(crowd(60))
	for _, when := range []string{"with more than fit", "and later"} {
		if got := b.judge(frame{from: other4, payload: recordWith(1, 9)}.bytes()); got != PassOpen || b.Serving(localPort) {
			t.Errorf("%s: %v", when, got)
		}
		b.feed.Peers(nil)
	}
	gone := crowd(60)[:20]
	for i := range gone {
		gone[i].For = 0
	}
	time.Sleep(transport.FilterInterval / 2)
	b.feed.Peers(gone)
	b.everybody("when there is room", crowd(60)[20:])
	if n, room := b.Known(); n != 40 || room != 50 {
		t.Errorf("%d known, room for %d", n, room)
	}
	if n := strings.Count(b.log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings: %s", n, b.log.String())
	}
}

// Maps that have players do not say that the program is attached to anything: the Feed says whether it has seen
// a datagram lately, and the log that it sees none of those of players.
func TestSeeing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	sees := func(when string, want bool) {
		t.Helper()
		b.feed.Peers(nil)
		if got := b.feed.Seeing(); got != want || !b.feed.Feeding() {
			t.Errorf("%s: it sees datagrams: %v, want %v; it is fed: %v", when, got, want, b.feed.Feeding())
		}
	}
	const blind = "sees none of the players' datagrams"
	warned := func(when string, want int) {
		t.Helper()
		if got := strings.Count(b.log.String(), blind); got != want {
			t.Errorf("%s: %d warnings, want %d: %s", when, got, want, b.log.String())
		}
	}
	b.feed.unseen = time.Now().Add(-sightTime) // half a minute has passed
	sees("without players", false)
	warned("without players", 0)
	b.feed.Peers(crowd(1))
	sees("with players", false)
	warned("with players who have just come", 0)
	b.feed.unseen = time.Now().Add(-sightTime)
	sees("half a minute later", false)
	sees("half a minute later", false)
	warned("half a minute later", 1)

	b.judge(frame{from: other4, port: localPort + 1, payload: hello()}.bytes())
	b.judge(frame{from: other4, fragment: 3, payload: hello()}.bytes())
	sees("after datagrams to other ports", false)
	b.judge(frame{from: other4, payload: recordWith(1, 9)}.bytes()) // a stranger's will do
	sees("after a datagram", true)
	if log := b.log.String(); strings.LastIndex(log, "the filter knows the players") < strings.LastIndex(log, blind) {
		t.Errorf("the log does not say that it is over: %s", log)
	}

	seen := func(ago time.Duration) {
		t.Helper()
		if err := b.feed.maps.ports.Put(uint32(localPort), port{Seen: monotonic() - uint64(ago), On: 1}); err != nil {
			t.Fatal(err)
		}
	}
	seen(sightTime - time.Second)
	sees("almost half a minute after a datagram", true)
	seen(sightTime)
	sees("half a minute after a datagram", false)
	b.judge(frame{from: player4, payload: hello()}.bytes())
	sees("after another one", true)

	if err := b.feed.Close(); err != nil || b.feed.Seeing() {
		t.Errorf("a closed feed sees (%v)", err)
	}
	b.judge(frame{from: player4, payload: hello()}.bytes())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Load(b.config) // attached to nothing yet
	if err != nil {
		t.Fatal(err)
	}
	*b.Filter = *f
	sees("a program that was loaded anew", false)
}

// Those who only begin connections do not fill the maps, whoever plays has room, and who was let in is among those who play.
func TestOpening(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Peers = 80 })
	b.feed.Peers(nil)
	begin := crowd(100)
	for i := range begin {
		begin[i].ConnectionID = 0
	}
	b.feed.Peers(begin)
	if n, _ := b.Known(); n != 20 {
		t.Errorf("%d addresses of 100 that begin connections are known, want a quarter of 80", n)
	}
	b.feed.Peers(crowd(60))
	b.everybody("beside them", crowd(60))
	b.feed.Peers(begin[60:80])
	if n, _ := b.Known(); n != 80 || len(b.feed.opening) != 20 {
		t.Errorf("%d addresses are known, %d of them where there is no connection, want 80 and 20", n, len(b.feed.opening))
	}
	b.everybody("at last", crowd(60))
}

// What another process has left is removed when it is over, and makes room.
func TestSweep(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Peers = 50 })
	left := crowd(50)
	for i := range left {
		left[i].For = 1
	}
	b.feed.Peers(nil) // else they are forgotten before they are written
	b.feed.Peers(left)
	var until uint64
	if err := b.feed.maps.peers.Lookup(peerKeyOf(left[0].Addr, localPort), &until); err != nil {
		t.Fatal(err)
	}
	if err := b.feed.Close(); err != nil {
		t.Fatal(err)
	}
	b.feed = b.newFeed(b.config.Dir)
	now := crowd(50)
	for i := range now {
		now[i].Addr = netip.AddrPortFrom(now[i].Addr.Addr(), 6000)
		now[i].ConnectionID += 1 << 20
	}
	b.feed.Peers(now)
	b.everybody("after a process that has left 50", now)
	if n := len(b.feed.addrs); n != 50 {
		t.Errorf("the feed remembers %d", n)
	}
}

// Without a filter a Feed remembers players for one that may come, and no longer than it would.
func TestForgetsWithoutFilter(t *testing.T) {
	t.Parallel()
	feed, err := NewFeed(FeedConfig{Port: localPort, Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	feed.swept = time.Now()
	players := crowd(100)
	for i := range players {
		players[i].For = time.Millisecond
		players[i].ConnectionID *= uint32(i % 2) // the others are only about to play
	}
	feed.Peers(players)
	known := func() [4]int { return [4]int{len(feed.addrs), len(feed.ids), len(feed.hosts), len(feed.opening)} }
	if got := known(); got != [4]int{100, 50, 50, 50} {
		t.Errorf("known: %v", got)
	}
	for host := range feed.hosts { // ten minutes later
		feed.hosts[host] -= uint64(lately)
	}
	time.Sleep(time.Millisecond)
	feed.Peers(nil)
	if got := known(); got != [4]int{100, 50, 50, 50} {
		t.Errorf("before it is time to forget: %v", got)
	}
	feed.swept = time.Now().Add(-sweepTime)
	if feed.Peers(nil); known() != [4]int{} {
		t.Errorf("later: %v", known())
	}
}

// executable copies the test program to where every user may run it.
func executable(t testing.TB) string {
	t.Helper()
	exe := t.TempDir() + "/test"
	if out, err := exec.Command("cp", os.Args[0], exe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, dir := range []string{exe, filepath.Dir(exe), filepath.Dir(filepath.Dir(exe))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return exe
}

// asUserRun runs the test that calls it in a child process of a user, and returns what that prints.
func asUserRun(t *testing.T, exe string, uid uint32, env ...string) string {
	t.Helper()
	child := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), env...)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	child.Dir = "/"
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// enter lets every user enter the BPF file system, which is the test's own.
func (b *bench) enter() {
	b.Helper()
	for _, dir := range []string{b.config.Dir + "/..", b.config.Dir + "/../.."} {
		if err := os.Chmod(dir, 0o755); err != nil {
			b.Fatal(err)
		}
	}
}

// asUser names the directory for the child process that feeds without privileges.
const asUser = "SALLYPORT_FILTER_AS_USER"

// "The process needs no privilege but to write to the maps" Feed: the user who owns them feeds, and another one cannot.
func TestUnprivilegedFeed(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(asUser); dir != "" {
		feed, err := NewFeed(FeedConfig{Port: localPort, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		feed.Peers([]transport.Peer{{Addr: player4, ConnectionID: playerID, For: time.Minute}})
		fmt.Println("beats:", feed.beats)
		return
	}
	const owner = 12345
	b := newBench(t, func(c *Config) { c.Owner = owner })
	b.enter()
	exe := executable(b)
	for _, uid := range []uint32{owner + 1, owner} {
		out := asUserRun(t, exe, uid, asUser+"="+b.config.Dir)
		if want := fmt.Sprint("beats: ", uid == owner); !strings.Contains(out, want) {
			t.Errorf("user %d: %s", uid, out)
		}
		if got := b.Serving(localPort); got != (uid == owner) {
			t.Errorf("user %d: the filter hears the server: %v", uid, got)
		}
	}
	if got := b.judge(frame{from: player4, payload: recordWith(1, 9)}.bytes()); got != PassPeer {
		t.Errorf("the player: %v", got)
	}
}
